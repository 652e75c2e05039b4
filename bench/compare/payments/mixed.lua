-- wrk's requests, mixed: new payments, repeated ones, look-ups, health checks and bad requests. Prints the 95th percentile
-- and the number of answers of each kind.
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  count = 0
  run = tostring(os.time()) .. "-" .. tostring(number)
  accepted, refused, found, bad, other = 0, 0, 0, 0, 0
end

local function post(id, amount)
  return wrk.format("POST", "/payments", { ["Content-Type"] = "application/json", ["Idempotency-Key"] = id },
    '{"id": "' .. id .. '", "amount": ' .. amount .. ', "currency": "EUR"}')
end

-- Every client thinks between its requests, for two seconds on average.
function delay()
  return math.random(1000, 3000)
end

function request()
  count = count + 1
  local kind = count % 10
  local id = run .. "-" .. count
  if kind == 1 and count > 10 then return post(run .. "-" .. (count - 1), 1250) end  -- kind 0 was a payment
  if kind == 2 then return wrk.format("GET", "/payments/" .. run .. "-" .. (count - 2)) end
  if kind == 3 then return wrk.format("GET", "/healthz") end
  if kind == 4 then return post(id, -1) end
  return post(id, 1250)
end

function response(status)
  if status == 201 then accepted = accepted + 1
  elseif status == 429 then refused = refused + 1
  elseif status == 200 or status == 404 then found = found + 1
  elseif status == 422 then bad = bad + 1
  else other = other + 1 end
end

function done(summary, latency)
  local total = { accepted = 0, refused = 0, found = 0, bad = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(total) do total[name] = total[name] + thread:get(name) end
  end
  io.write(string.format("p95 %.1f ms, p99 %.1f ms\n", latency:percentile(95) / 1000, latency:percentile(99) / 1000))
  io.write(string.format("201: %d, 429: %d, 200 or 404: %d, 422: %d, anything else: %d\n", total.accepted, total.refused,
    total.found, total.bad, total.other))
  io.write(string.format("socket errors: connect %d, read %d, write %d, timeout %d\n", summary.errors.connect,
    summary.errors.read, summary.errors.write, summary.errors.timeout))
end
