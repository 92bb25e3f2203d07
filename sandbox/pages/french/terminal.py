"""Texts of the terminal in French."""

from collections.abc import Mapping
from typing import Final

_PAGE: Final[Mapping[str, str]] = {
    "Insert a card, or tap it.": "Insérez une carte, ou approchez-la.",
    "The terminal waits for the PIN.": "Le terminal attend le code.",
    "Waiting for a payment: cards can be used once an amount is on the screen.": (
        "En attente d'un paiement : les cartes servent dès qu'un montant est à l'écran."
    ),
    "%(count)s digits typed": "%(count)s chiffres saisis",
    "Terminals": "Terminaux",
    "Payment terminal": "Terminal de paiement",
    "Concert V3.1 and V3.2 over TCP, with test cards and a scripted customer.": (
        "Concert V3.1 et V3.2 sur TCP, avec des cartes de test et un client scénarisé."
    ),
    "Keypad": "Clavier",
    "Abandon": "Abandonner",
    "Correct": "Corriger",
    "Confirm": "Valider",
    "Keyboard: digits, Enter, Backspace, Escape. PIN of every card:": (
        "Clavier : chiffres, Entrée, Retour arrière, Échap. Code de toutes les cartes :"
    ),
    "Receipts": "Tickets",
    "Customer's copy": "Ticket client",
    "Merchant's copy": "Ticket commerçant",
    "No receipt yet": "Encore aucun ticket",
    "It is printed when a payment ends.": "Il est imprimé à la fin d'un paiement.",
    "Cards": "Cartes",
    "test numbers, issued by nobody": "numéros de test, émis par personne",
    "Present a card": "Présenter une carte",
    "Insert": "Insérer",
    "Tap": "Approcher",
    "Behaviour": "Comportement",
    "Remote collection": "Télécollecte",
    "Listens on": "Écoute sur",
    "Customer": "Client",
    "you, by hand": "vous, à la main",
    "Let the customer act": "Laisser agir le client",
    "acts by itself after %(seconds)s s": "agit seul après %(seconds)s s",
    "Act by hand": "Agir à la main",
    "Bank": "Banque",
    "asked through the gateway": "interrogée par la passerelle",
    "the terminal itself": "le terminal lui-même",
    "above": "au-dessus de",
    "To be collected": "À télécollecter",
    "Next payments": "Prochains paiements",
    "Clear": "Effacer",
    "by the last two digits of the amount": "selon les deux derniers chiffres du montant",
    "as the terminal is set": "selon le réglage du terminal",
    "Next payment": "Prochain paiement",
    "Queue": "Ajouter",
    "Delay of a customer who acts by itself (seconds)": "Délai d'un client qui agit seul (secondes)",
    "Set": "Régler",
    "Journal": "Journal",
    "No.": "N°",
    "Time (UTC)": "Heure (UTC)",
    "Then": "Ensuite",
    "batch": "remise",
    "No transaction yet": "Encore aucune transaction",
    "Send a payment to": "Envoyez un paiement à",
}

_SCREEN: Final[Mapping[str, str]] = {
    "Ready": "Prêt",
    "Insert or tap your card": "Insérez ou approchez votre carte",
    "Please insert the card": "Veuillez insérer la carte",
    "Enter your PIN, then green": "Saisissez votre code, puis vert",
    "PIN correct": "Code bon",
    "Wrong PIN, 2 left": "Code faux, 2 essais restants",
    "Wrong PIN, 1 left": "Code faux, 1 essai restant",
    "Wrong PIN, 0 left": "Code faux, 0 essai restant",
    "Asking the bank ...": "Appel à la banque ...",
    "Remote collection ...": "Télécollecte ...",
    "Restarting ...": "Redémarrage ...",
    "Nothing to collect": "Rien à télécollecter",
    "Approved": "Paiement accepté",
    "Given up": "Abandon",
    "Time is over": "Délai dépassé",
}

_JOURNAL: Final[Mapping[str, str]] = {
    "contact": "puce",
    "contactless": "sans contact",
    "done": "accepté",
    "refused": "refusé",
    "abandoned": "abandonné",
    "walked away": "délai dépassé",
    "waits for collection": "attend la télécollecte",
    "sent, not acknowledged": "envoyé, non acquitté",
    "collected": "télécollecté",
    "reversed": "annulé",
}

TERMINAL: Final[Mapping[str, str]] = {**_PAGE, **_SCREEN, **_JOURNAL}
