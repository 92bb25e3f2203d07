"""Commands `cloud-terminal payments`: a file for each."""

import typer

from cli.payments.cancel import cancel_payment
from cli.payments.charged_twice import list_equal_charges
from cli.payments.decide import release_terminal, resolve_payment
from cli.payments.export import export_payments
from cli.payments.follow import follow_payment
from cli.payments.pay import pay_order
from cli.payments.search import list_payments
from cli.payments.show import show_payment

app = typer.Typer(
    help="Payments: pay, follow and find them; their history and evidence, and decisions on doubts.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("list")(list_payments)
app.command("charged-twice")(list_equal_charges)
app.command("show")(show_payment)
app.command("pay")(pay_order)
app.command("follow")(follow_payment)
app.command("cancel")(cancel_payment)
app.command("resolve")(resolve_payment)
app.command("release")(release_terminal)
app.command("export")(export_payments)
