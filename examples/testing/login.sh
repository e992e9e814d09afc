#!/bin/sh
# Send a one-time code with curl, wait for it, answer it and let it be delivered.
# Run: aioclicksend sandbox &  then  sh login.sh
set -eu
url=${CLICKSEND_BASE_URL:-http://127.0.0.1:8080}

curl -sf -u sandbox:sandbox "$url/v3/sms/send" -H 'content-type: application/json' \
  -d '{"messages": [{"to": "+61412345678", "body": "Your code is 482913"}]}' >/dev/null

message=$(curl -sfG "$url/_sandbox/messages" \
  --data-urlencode 'to=+61412345678' -d wait=5 -d limit=1)
code=$(printf '%s' "$message" | sed -n 's/.*"code": "\([0-9]*\)".*/\1/p')
id=$(printf '%s' "$message" | sed -n 's/.*"message_id": "\([^"]*\)".*/\1/p')
test "$code" = 482913

curl -sf -X POST "$url/_sandbox/messages/$id/deliver" -H 'content-type: application/json' >/dev/null
curl -sf "$url/_sandbox/inbound" -H 'content-type: application/json' \
  -d '{"from": "+61412345678", "body": "STOP"}' >/dev/null
echo "code: $code"
