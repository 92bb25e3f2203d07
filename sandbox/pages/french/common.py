"""Texts of all pages in French."""

from collections.abc import Mapping
from typing import Final

COMMON: Final[Mapping[str, str]] = {
    ":": " :",
    "Skip to the content": "Aller au contenu",
    "Sandbox": "Bac à sable",
    "Test data only: no card of this sandbox was issued by a bank, no money moves.": (
        "Données de test : aucune carte de ce bac à sable n'a été émise par une banque, "
        "aucun argent ne circule."
    ),
    "Not found": "Introuvable",
    "There is no such page": "Cette page n'existe pas",
    "The address is wrong, or the page is of an earlier start: the sandbox forgets what it showed.": (
        "L'adresse est fausse, ou la page est d'un démarrage précédent : le bac à sable l'a oubliée."
    ),
    "This session has no sale of this number.": "Cette session n'a pas de vente de ce numéro.",
    # Systems.
    "Register": "Caisse",
    "Terminal": "Terminal",
    "Live flow": "Flux en direct",
    "Console": "Console",
    "Merchant": "Commerçant",
    "API": "API",
    # Operations.
    "Debit": "Débit",
    "Reversal": "Annulation",
    "Credit": "Crédit",
    "debit": "débit",
    "reversal": "annulation",
    "credit": "crédit",
    # Columns.
    "Order": "Commande",
    "Operation": "Opération",
    "Amount": "Montant",
    "Card": "Carte",
    "Authorisation": "Autorisation",
    "Result": "Résultat",
}
