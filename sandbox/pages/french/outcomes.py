"""Outcomes and test cards in French."""

from collections.abc import Mapping
from typing import Final

OUTCOMES: Final[Mapping[str, str]] = {
    "what the terminal is set to: without options the customer pays and it is approved": (
        "selon le réglage du terminal : sans option, le client paie et c'est accepté"
    ),
    "refused by the bank, code 04: card to be retained": "refusé par la banque, code 04 : carte à conserver",
    "refused by the bank, code 05: refused without a reason": "refusé par la banque, code 05 : sans motif",
    "refused by the bank, code 14: unknown card number": "refusé par la banque, code 14 : numéro inconnu",
    "refused by the bank, code 41: card reported lost": "refusé par la banque, code 41 : carte perdue",
    "refused by the bank, code 43: card reported stolen": "refusé par la banque, code 43 : carte volée",
    "refused by the bank, code 51: insufficient funds": (
        "refusé par la banque, code 51 : provision insuffisante"
    ),
    "refused by the bank, code 54: card expired": "refusé par la banque, code 54 : carte expirée",
    "refused by the bank, code 55: wrong PIN": "refusé par la banque, code 55 : code confidentiel faux",
    "refused by the bank, code 57: not permitted to this card": (
        "refusé par la banque, code 57 : opération non permise à cette carte"
    ),
    "refused by the bank, code 61: above the card's limit": (
        "refusé par la banque, code 61 : plafond de la carte dépassé"
    ),
    "refused by the bank, code 62: restricted card": "refusé par la banque, code 62 : carte bloquée",
    "refused by the bank, code 65: too many payments": "refusé par la banque, code 65 : trop de paiements",
    "refused by the bank, code 75: too many wrong PINs": (
        "refusé par la banque, code 75 : trop de codes confidentiels faux"
    ),
    "refused by the bank, code 91: issuer not available": (
        "refusé par la banque, code 91 : émetteur indisponible"
    ),
    "refused by the bank, code 96: technical problem": "refusé par la banque, code 96 : incident technique",
    "the customer takes 30 seconds, then pays": "le client prend 30 secondes, puis paie",
    "the customer presses the red key (AF 06)": "le client appuie sur la touche rouge (AF 06)",
    "busy with a sale typed by hand: AE 01 at once, without a reason": (
        "occupé par une vente saisie à la main : AE 01 aussitôt, sans motif"
    ),
    "no answer until the terminal's own time is over (240 s), then it closes": (
        "aucune réponse jusqu'au délai propre du terminal (240 s), puis il ferme"
    ),
    "the customer pays after 200 seconds, when a client has given up": (
        "le client paie après 200 secondes, quand la caisse a renoncé"
    ),
    "the customer does nothing for 20 seconds and the terminal gives up (AF 08)": (
        "le client ne fait rien pendant 20 secondes et le terminal abandonne (AF 08)"
    ),
    "only 1.00 is paid, as with meal vouchers: CB is lower than asked": (
        "seul 1,00 est payé, comme avec un titre-restaurant : CB est inférieur à la demande"
    ),
    "the answer comes in pieces of one byte, 2 ms apart": "la réponse vient octet par octet, à 2 ms d'écart",
    "the answer pauses for 400 ms after every 300 bytes": ("la réponse s'arrête 400 ms tous les 300 octets"),
    "approved, then the connection drops without an answer": (
        "accepté, puis la connexion tombe sans réponse"
    ),
    "the connection is closed without an answer": "la connexion est fermée sans réponse",
    "the connection is reset without an answer": "la connexion est coupée (reset) sans réponse",
    "approved, and the answer is noise": "accepté, et la réponse est illisible",
    "approved, and the answer is the previous transaction's": (
        "accepté, et la réponse est celle de la transaction précédente"
    ),
    "immediate mode: AE 10 at once, before any card; the customer pays later": (
        "mode immédiat : AE 10 aussitôt, avant toute carte ; le client paie ensuite"
    ),
    "the terminal restarts before the card and accepts no connection for 5 seconds": (
        "le terminal redémarre avant la carte et n'accepte aucune connexion pendant 5 secondes"
    ),
    "approved after 31 seconds, when the network has forgotten the connection: no answer, no end": (
        "accepté après 31 secondes, quand le réseau a oublié la connexion : ni réponse, ni fin"
    ),
    "approved, and CF is not sent to the gateway: its records name no payment": (
        "accepté, et CF n'est pas envoyé à la passerelle : elle ne nomme aucun paiement"
    ),
    "approved, the answer is noise, and 20 seconds later the real one comes on the same connection": (
        "accepté, la réponse est illisible, et 20 secondes plus tard la vraie vient sur la même connexion"
    ),
    "the terminal writes before the request: a client that reads it sends no request": (
        "le terminal écrit avant la demande : une caisse qui le lit n'envoie pas de demande"
    ),
    "the answer comes as on a serial line: ACK, STX ... ETX, check byte, EOT": (
        "la réponse vient comme sur une liaison série : ACK, STX ... ETX, LRC, EOT"
    ),
    "CB is left out of a success, and a second later another amount comes: 999.99": (
        "CB manque dans un succès, et une seconde plus tard vient un autre montant : 999,99"
    ),
    "the connection stays open after the answer": "la connexion reste ouverte après la réponse",
    "CF is left out of the answer": "CF manque dans la réponse",
    "CJ is left out of the answer": "CJ manque dans la réponse",
    "CF holds the terminal's own data on successes": "CF contient les données du terminal en cas de succès",
    "CB is padded with zeros to 12 digits": "CB est complété de zéros jusqu'à 12 chiffres",
    "the receipt ends one character short of its length": (
        "il manque au ticket un caractère de la longueur annoncée"
    ),
    "lengths count characters, not bytes": "les longueurs comptent des caractères, non des octets",
    "an enquiry's answer copies the request's fields": (
        "la réponse à une interrogation recopie les champs de la demande"
    ),
    "an enquiry is refused": "une interrogation est refusée",
}

CARDS: Final[Mapping[str, str]] = {
    "CB": "CB",
    "Visa": "Visa",
    "Mastercard": "Mastercard",
    "American Express": "American Express",
    "CB, always online": "CB, toujours en ligne",
    "Mastercard without contactless, always online": "Mastercard à insérer, toujours en ligne",
    "Visa with 50.00 left": "Visa, reste 50,00",
    "American Express, 100.00 a payment": "American Express, 100,00 par paiement",
    "Visa, refused by its bank": "Visa, refusée par sa banque",
    "CB, blocked": "CB, bloquée",
    "CB, lost": "CB, perdue",
    "Mastercard, stolen": "Mastercard, volée",
    "CB, expired": "CB, expirée",
}
