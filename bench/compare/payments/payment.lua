-- wrk's requests: POST /payments with an id and an Idempotency-Key that no other request has.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  count = 0
  run = tostring(os.time()) .. "-" .. tostring(math.random(1000000000)) .. "-" .. tostring(number)
  accepted, refused, other = 0, 0, 0
end

function request()
  count = count + 1
  local id = run .. "-" .. count
  return wrk.format("POST", "/payments", {
    ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = id,
  }, '{"id": "' .. id .. '", "amount": 1250, "currency": "EUR"}')
end

function response(status)
  if status == 201 then
    accepted = accepted + 1
  elseif status == 429 then
    refused = refused + 1
  else
    other = other + 1
  end
end
