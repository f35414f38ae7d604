-- CORS as API Gateway does it: preflights are answered, and what the service says of CORS is replaced.
-- https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
-- It runs where a virtual host says so; the API's configuration is its context.

local NAMES = {"allow-origin", "allow-methods", "allow-headers", "allow-credentials", "expose-headers", "max-age"}

local function allowed(configuration, origin)
  for _, pattern in ipairs(configuration:get("origins")) do
    if pattern == "*" and not configuration:get("credentials") then return "*" end
    local start = pattern:match("^(.*)%*$")
    if pattern == origin or (start and origin:sub(1, #start) == start) then return origin end
  end
end

function envoy_on_request(handle)
  local headers, configuration = handle:headers(), handle:filterContext()
  local origin = headers:get("origin")
  if not origin then return end
  local origin_allowed = allowed(configuration, origin)
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("twin.cors", "origin", origin_allowed or "")
  if headers:get(":method") ~= "OPTIONS" or not headers:get("access-control-request-method") then return end
  metadata:set("twin.cors", "preflight", true)
  local answer = {[":status"] = "204", ["apigw-requestid"] = headers:get("x-request-id")}
  if origin_allowed then
    answer["access-control-allow-methods"] = configuration:get("methods")
    answer["access-control-allow-headers"] = configuration:get("headers")
    answer["access-control-max-age"] = configuration:get("max_age")
  end
  handle:respond(answer, "")
end

function envoy_on_response(handle)
  local cors = handle:streamInfo():dynamicMetadata():get("twin.cors")
  local headers, configuration = handle:headers(), handle:filterContext()
  if cors == nil or not cors["preflight"] then
    for _, name in ipairs(NAMES) do headers:remove("access-control-" .. name) end
  end
  if cors == nil or cors["origin"] == "" then return end
  headers:replace("access-control-allow-origin", cors["origin"])
  if configuration:get("credentials") then headers:replace("access-control-allow-credentials", "true") end
  if configuration:get("exposed") then headers:replace("access-control-expose-headers", configuration:get("exposed")) end
end
