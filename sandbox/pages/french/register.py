"""Texts of the cash register in French."""

from collections.abc import Mapping
from typing import Final

_PAGE: Final[Mapping[str, str]] = {
    "Network plugged in": "Réseau branché",
    "Unplug the network": "Débrancher le réseau",
    "Network unplugged": "Réseau débranché",
    "Plug in again": "Rebrancher",
    "Cash register": "Caisse",
    "A client of the public API: it sends an order and waits for the answer.": (
        "Un client de l'API publique : elle envoie une commande et attend la réponse."
    ),
    "The network is unplugged: plug it in again to see the terminals.": (
        "Le réseau est débranché : rebranchez-le pour voir les terminaux."
    ),
    "The API returned no terminal: it is still starting, or unavailable.": (
        "L'API n'a donné aucun terminal : elle démarre encore, ou elle est indisponible."
    ),
    "Keep": "Garder",
    "Articles": "Articles",
    "Article at another price": "Article à un autre prix",
    "Add article": "Ajouter l'article",
    "Outcome": "Issue",
    "The last two digits of the total choose it. Each button adds the test amount that leads to them.": (
        "Les deux derniers chiffres du total la choisissent. Chaque bouton ajoute un montant de test "
        "pour que le total finisse par eux."
    ),
    "All outcomes": "Toutes les issues",
    "Use it": "Choisir",
    "No funds": "Sans provision",
    "Abandoned": "Abandon",
    "Answer lost": "Réponse perdue",
    "Silent": "Muet",
    "Order number": "Numéro de commande",
    "the next one": "le suivant",
    "Ask for an authorisation in any case": "Demander une autorisation dans tous les cas",
    "Customer and custom data": "Client et données libres",
    "First name": "Prénom",
    "Last name": "Nom",
    "E-mail": "E-mail",
    "Phone": "Téléphone",
    'Custom data, one <span class="mono">name: value</span> a line': (
        'Données libres, un <span class="mono">nom: valeur</span> par ligne'
    ),
    "Basket": "Panier",
    "Empty it": "Vider",
    "One %(article)s less": "Un %(article)s de moins",
    "One %(article)s more": "Un %(article)s de plus",
    "Nothing yet. Choose an article.": "Encore rien. Choisissez un article.",
    "Total": "Total",
    "Pay": "Payer",
    "Sales of this session": "Ventes de cette session",
    "Requests": "Demandes",
    "Sent (UTC)": "Envoyée (UTC)",
    "No sales yet": "Encore aucune vente",
    "Each order that you send is listed here, to be sent again, reversed or refunded.": (
        "Chaque commande envoyée figure ici, pour être renvoyée, annulée ou remboursée."
    ),
    # The articles.
    "Baguette": "Baguette",
    "Croissant": "Croissant",
    "Café crème": "Café crème",
    "Tarte aux pommes": "Tarte aux pommes",
    "Macarons, a dozen": "Macarons, la douzaine",
    "Gâteau, eight people": "Gâteau, huit personnes",
    "Article": "Article",
    "Test amount": "Montant de test",
}

_SALE: Final[Mapping[str, str]] = {
    "As curl": "En curl",
    "Copy as curl": "Copier en curl",
    "Copied": "Copié",
    "Answer": "Réponse",
    "Sent to the API.": "Envoyée à l'API.",
    "Accepted; it waits for the terminal.": "Acceptée ; elle attend le terminal.",
    "The order <strong>%(order)s</strong> holds it since %(at)s.": (
        "La commande <strong>%(order)s</strong> l'occupe depuis %(at)s."
    ),
    "Another client holds it.": "Un autre client l'occupe.",
    "This sale expires at %(at)s unless the terminal is free before; then nothing is charged.": (
        "Cette vente expire à %(at)s si le terminal n'est pas libre avant ; rien n'est alors débité."
    ),
    "The terminal has it: the customer is paying.": "Le terminal l'a reçue : le client paie.",
    "In doubt: the terminal's answer was lost. The API finds out whether the card was charged.": (
        "En doute : la réponse du terminal s'est perdue. L'API cherche si la carte a été débitée."
    ),
    "This is the stored answer of an earlier request: nothing was charged again.": (
        "C'est la réponse conservée d'une demande précédente : rien n'a été débité une seconde fois."
    ),
    "Nothing was charged. You may send the order again.": (
        "Rien n'a été débité. Vous pouvez renvoyer la commande."
    ),
    "The request was refused.": "La demande a été refusée.",
    "The customer may have paid.": "Le client a peut-être payé.",
    "Plug in and send the same order again: it joins the running payment or gets its stored answer, "
    "and never charges twice.": (
        "Rebranchez et renvoyez la même commande : elle rejoint le paiement en cours ou reçoit sa réponse "
        "conservée, et ne débite jamais deux fois."
    ),
    "It is not known yet whether the card was charged. <strong>Do not take the money again.</strong> "
    "Look at the payment until its doubt has ended.": (
        "On ne sait pas encore si la carte a été débitée. <strong>N'encaissez pas une seconde fois.</strong> "
        "Consultez le paiement jusqu'à ce que le doute soit levé."
    ),
    "Error": "Erreur",
    "Description": "Description",
    "Safe to retry": "Nouvel essai sans risque",
    "yes": "oui",
    "no": "non",
    "Only while it waits for the terminal; later the customer cancels, at the terminal": (
        "Seulement tant qu'elle attend le terminal ; ensuite le client abandonne, au terminal"
    ),
    "Cancel": "Abandonner",
    "Send the same order again": "Renvoyer la même commande",
    "Look at the payment": "Consulter le paiement",
    "Reverse": "Annuler",
    "Amount to refund": "Montant à rembourser",
    "Refund": "Rembourser",
    "Payment": "Paiement",
    "Its flow": "Son flux",
    "Id": "Id",
    "State": "État",
    "Reason": "Motif",
    "Application": "Application",
    "Settled by": "Résolu par",
    "Replayed": "Rejoué",
    "yes, from an earlier request": "oui, d'une demande précédente",
    "Requests and answers": "Demandes et réponses",
    "The order": "La commande",
    "Look-up of the payment": "Consultation du paiement",
    "waiting": "en attente",
    "the stored answer": "la réponse conservée",
    "no answer": "aucune réponse",
    "Request": "Demande",
    "Receipt": "Ticket",
    "It is printed with the answer.": "Il est imprimé avec la réponse.",
    "The terminal sent none.": "Le terminal n'en a pas envoyé.",
}

_RESULTS: Final[Mapping[str, str]] = {
    "Waiting": "En attente",
    "Paid": "Payé",
    "Reversed": "Annulé",
    "Refunded": "Remboursé",
    "Not paid": "Non payé",
    "Not reversed": "Non annulé",
    "Not refunded": "Non remboursé",
    "Not known": "Inconnu",
    "Refused": "Refusé",
    # States of a payment, and what settled its doubt.
    "queued": "en file",
    "in session": "au terminal",
    "in doubt": "en doute",
    "succeeded": "réussi",
    "aborted": "abandonné",
    "unreachable": "terminal injoignable",
    "expired": "expiré",
    "cancelled": "annulé",
    "late answer": "réponse tardive",
    "enquiry": "interrogation",
    "gateway": "passerelle",
    "operator": "opérateur",
}

_PROBLEMS: Final[Mapping[str, str]] = {
    "The register's network is unplugged: nothing was sent.": (
        "Le réseau de la caisse est débranché : rien n'a été envoyé."
    ),
    "The network was unplugged while the register waited.": (
        "Le réseau a été débranché pendant que la caisse attendait."
    ),
    "The API has no payment of this order.": "L'API n'a aucun paiement de cette commande.",
    "Cancelled.": "Abandonnée.",
    "Type an amount with at most two decimals, for example 12.50.": (
        "Saisissez un montant avec au plus deux décimales, par exemple 12,50."
    ),
    "The basket is empty: choose something to pay for.": "Le panier est vide : choisissez un article.",
    "No terminal is registered.": "Aucun terminal n'est enregistré.",
    "Custom data: one 'name: value' a line.": "Données libres : un « nom: valeur » par ligne.",
    "Choose an outcome of the list.": "Choisissez une issue de la liste.",
    "The basket is full.": "Le panier est plein.",
    "The basket costs more than this register can take.": (
        "Le panier coûte plus que cette caisse ne peut encaisser."
    ),
}

REGISTER: Final[Mapping[str, str]] = {**_PAGE, **_SALE, **_RESULTS, **_PROBLEMS}
