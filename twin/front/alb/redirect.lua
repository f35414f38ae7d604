-- A redirect. In its parts, which are the route's context, #{protocol}, #{host}, #{port}, #{path} and #{query} are the
-- request's; `ports` has where a port of the load balancer is on this machine.
-- https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html#redirect-actions

local DEFAULT_PORTS = {http = "80", https = "443"}

function envoy_on_request(handle)
  local to, headers = handle:filterContext(), handle:headers()
  local authority = headers:get(":authority") or ""
  local host, port = authority:match("^(.*):(%d+)$")
  local path, query = headers:get(":path"):match("^/?([^?]*)%??(.*)$")
  local own = {
    protocol = to:get("own"), host = host or authority, path = path, query = query,
    port = port or DEFAULT_PORTS[to:get("own")],
  }
  local function filled(part)
    return (to:get(part):gsub("#{(%w+)}", own))
  end
  local target = filled("protocol"):lower() .. "://" .. filled("host") .. ":"
  local named = filled("port")
  if to:get("host") == "#{host}" then named = to:get("ports")[named] or named end
  local location = target .. named .. filled("path")
  if filled("query") ~= "" then location = location .. "?" .. filled("query") end
  handle:respond(
    {[":status"] = to:get("status"), location = location, server = "awselb/2.0", ["content-type"] = "text/html"},
    to:get("page"))
end
