-- The body of BODY is posted by every connection; with RATE (per second) on a fixed schedule, whether answered or not.
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanoseconds; } moment; int clock_gettime(int clock, moment *now);")

local file = io.open(os.getenv("BODY"), "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "application/json"
if os.getenv("FRESH") then wrk.headers["Connection"] = "close" end

local moment = ffi.new("moment")
local function milliseconds()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.seconds) * 1e3 + tonumber(moment.nanoseconds) / 1e6
end

local rate = tonumber(os.getenv("RATE"))
if rate then
  local due = milliseconds()
  function delay()   -- each call takes the next place in the schedule
    due = due + 1e3 / rate
    return math.max(0, math.floor(due - milliseconds() + 0.5))
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50": %g, "p99": %g, "largest": %g, "refused": %d, "failed": %d, "timeouts": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
