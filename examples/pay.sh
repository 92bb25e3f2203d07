#!/usr/bin/env bash
# Pay an order from a shell: ./pay.sh ORDER_1 1250 counter-1
#
# Ends with 0: paid; 1: not paid, nothing was charged; 2: nobody knows yet, call it again with the same order;
# 3: the request itself is wrong.
# Needs curl and python3, and CT_URL, CT_USERNAME, CT_SECRET.
set -u
order_id=$1 amount_cents=$2 terminal=$3
# The name of this sale: the same order and sum are the same sale, however often the script runs.
key="$order_id-$amount_cents"

call() { # call METHOD PATH [BODY]: print the body; fail where none came
  # The password is read from a file descriptor: a process's arguments are everybody's to read.
  curl --silent --show-error --max-time 40 --request "$1" "$CT_URL$2" \
    --config <(printf 'user = "%s:%s"\n' "$CT_USERNAME" "$CT_SECRET") \
    --header "Idempotency-Key: $key" --header 'Prefer: respond-async' \
    ${3:+--header 'Content-Type: application/json' --data "$3"}
}

field() { # field OBJECT NAME: print a member of the JSON on standard input, or nothing
  python3 -c '
import json, sys
try:
    found = json.load(sys.stdin)[sys.argv[1]][sys.argv[2]]
    print(found if isinstance(found, str) else json.dumps(found))
except (ValueError, KeyError, TypeError):
    sys.exit(0)' "$1" "$2"
}

order="{\"order\": {\"order_id\": \"$order_id\", \"price\": {\"amount\": $amount_cents}},
  \"pos_technical_info\": {\"terminal_id\": \"$terminal\", \"terminal_transaction_display\": {\"contract_array\": []}}}"

# The same order sent again joins the payment that runs, so a lost answer is no trouble.
tried=no
for pause in 1 2 4 8 0; do
  answer=$(call POST /v1/connector/order "$order")
  payment_id=$(field payment id <<<"$answer")
  # The payment of a conflict is another one, which stands in the way.
  [ "$(field error status <<<"$answer")" = 409 ] && { echo "$answer" >&2; exit 3; }
  [ -n "$payment_id" ] && break
  echo "no payment in the answer: $answer" >&2
  case "$tried:$(field error status <<<"$answer")" in no:400 | no:401 | no:403 | no:404) exit 3 ;; esac
  tried=yes
  sleep "$pause"
done

for _ in $(seq "${LOOKS:-15}"); do
  [ -n "${payment_id:-}" ] || break
  state=$(field payment state <<<"$answer") safe_to_retry=$(field payment safe_to_retry <<<"$answer")
  case "$state" in
    succeeded) echo "paid: $payment_id"; exit 0 ;;
    queued | in_session | in_doubt | '') ;;
    *) [ "$safe_to_retry" = true ] && { echo "not paid ($state): $payment_id"; exit 1; } ;;
  esac
  answer=$(call GET "/v1/payments/$payment_id?wait=${WAIT:-20}") || sleep 1
done

echo "nobody knows yet whether the card was charged: do not take the money again" >&2
exit 2
