-- X-Amzn-Trace-Id: a Root if there is none, otherwise Self before it; other fields stay.
-- https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html

math.randomseed(os.time())

local function trace_id()
  local random = {}
  for part = 1, 4 do
    random[part] = math.random(0, 0xffffff)
  end
  return string.format("1-%08x-%06x%06x%06x%06x", os.time(), unpack(random))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local fields = (headers:get("x-amzn-trace-id") or ""):gsub("Self=[^;]*;?", "")
  local own = fields:find("Root=", 1, true) and "Self=" or "Root="
  headers:replace("x-amzn-trace-id", own .. trace_id() .. (fields == "" and "" or ";" .. fields))
end
