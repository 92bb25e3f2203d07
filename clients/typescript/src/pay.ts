// Pay one order: node build/pay.js URL USERNAME PASSWORD TERMINAL ORDER_ID AMOUNT_CENTS
//
// The types are generated from the API's document; the rules are those of every client: the order is accepted first
// and waited for by its payment's id, the same order is sent again where no answer came, and only `safe_to_retry`
// says that the money may be taken in another way.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Payment = components["schemas"]["Payment"];
type Outcome = { paid: Payment } | { notPaid: Payment } | { unknown: Payment | undefined };

const TRIES = 5;
const LOOKS = 15;

export async function pay(
  api: ReturnType<typeof createClient<paths>>,
  order: components["schemas"]["OrderRequest"],
  key: string,
): Promise<Outcome> {
  let payment: Payment | undefined;
  for (let tries = 0; payment === undefined && tries < TRIES; tries++) {
    try {
      const { data, error, response } = await api.POST("/v1/connector/order", {
        params: { header: { "Idempotency-Key": key, Prefer: "respond-async" } },
        body: order,
      });
      // The payment of a conflict is another one, which stands in the way.
      if (response.status === 409 || (response.status < 500 && response.status !== 429 && error !== undefined)) {
        throw new TypeError(`refused: ${JSON.stringify(error)}`);
      }
      payment = data?.payment ?? error?.payment;
    } catch (trouble) {
      // fetch reports a lost connection as a TypeError, too; only ours has been answered.
      if (trouble instanceof TypeError && trouble.message.startsWith("refused: ") && tries === 0) throw trouble;
    }
    if (payment === undefined) await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
  }
  for (let looks = 0; payment !== undefined && looks < LOOKS; looks++) {
    if (payment.state === "succeeded") return { paid: payment };
    if (payment.ended_at !== undefined && payment.safe_to_retry) return { notPaid: payment };
    const { data } = await api.GET("/v1/payments/{payment_id}", {
      params: { path: { payment_id: payment.id }, query: { wait: 20 } },
    });
    payment = data?.payment ?? payment;
  }
  return { unknown: payment };
}

const [url, username, password, terminal, orderId, amount] = process.argv.slice(2);
const login = Buffer.from(`${username}:${password}`).toString("base64");
const outcome = await pay(
  createClient<paths>({ baseUrl: url ?? "", headers: { Authorization: `Basic ${login}` } }),
  {
    order: { order_id: orderId ?? "", price: { amount: Number(amount) } },
    pos_technical_info: {
      terminal_id: terminal ?? "",
      terminal_transaction_display: { protocol: "ConcertV3.1", contract_array: [] },
    },
  },
  `${orderId}-${amount}`,
);
console.log(JSON.stringify(outcome));
