-- wrk's script: requests with fresh transaction ids, and one JSON object at the end.
-- Arguments: key, batch, subscriptions, seed.
local key, batch, subscriptions, seed, path
local number = 0
local names = {}

function init(arguments)
  key, batch, subscriptions, seed =
    arguments[1], tonumber(arguments[2]), tonumber(arguments[3]), tonumber(arguments[4])
  math.randomseed(seed)
  for place = 1, subscriptions do
    names[place] = string.format("sub_%032d", place)
  end
  path = batch == 1 and "/api/v1/events" or "/api/v1/events/batch"
  wrk.method = "POST"
  wrk.headers["Authorization"] = "Bearer " .. key
  wrk.headers["Content-Type"] = "application/json"
end

local function event()
  number = number + 1
  return string.format(
    '{"transaction_id":"load-%04d-%024d","external_subscription_id":"%s","code":"tokens",'
      .. '"properties":{"tokens":"%d","model":"gpt-4o-mini","region":"eu-1",'
      .. '"user":"user-%08d","trace":"0123456789abcdef0123456789abcdef"}}',
    seed, number, names[math.random(subscriptions)], number % 1000, number % 5000
  )
end

function request()
  if batch == 1 then
    return wrk.format(nil, path, nil, '{"event":' .. event() .. "}")
  end
  local events = {}
  for place = 1, batch do
    events[place] = event()
  end
  return wrk.format(nil, path, nil, '{"events":[' .. table.concat(events, ",") .. "]}")
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests_per_second":%d,"p50_us":%d,"p99_us":%d,"refused":%d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout
  ))
end
