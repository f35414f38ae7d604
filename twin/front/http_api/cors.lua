-- CORS as API Gateway does it: preflights are answered, and what the service says of CORS is replaced.
-- https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
-- `configuration` is put before this text.

local NAMES = {"allow-origin", "allow-methods", "allow-headers", "allow-credentials", "expose-headers", "max-age"}

local function allowed(origin)
  for _, pattern in ipairs(configuration.origins) do
    if pattern == "*" and not configuration.credentials then return "*" end
    local start = pattern:match("^(.*)%*$")
    if pattern == origin or (start and origin:sub(1, #start) == start) then return origin end
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local origin = headers:get("origin")
  if not origin then return end
  local origin_allowed = allowed(origin)
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("twin.cors", "origin", origin_allowed or "")
  if headers:get(":method") ~= "OPTIONS" or not headers:get("access-control-request-method") then return end
  metadata:set("twin.cors", "preflight", true)
  local answer = {[":status"] = "204", ["apigw-requestid"] = headers:get("x-request-id")}
  if origin_allowed then
    answer["access-control-allow-methods"] = configuration.methods
    answer["access-control-allow-headers"] = configuration.headers
    answer["access-control-max-age"] = configuration.max_age
  end
  handle:respond(answer, "")
end

function envoy_on_response(handle)
  local cors = handle:streamInfo():dynamicMetadata():get("twin.cors")
  local headers = handle:headers()
  if cors == nil or not cors["preflight"] then
    for _, name in ipairs(NAMES) do headers:remove("access-control-" .. name) end
  end
  if cors == nil or cors["origin"] == "" then return end
  headers:replace("access-control-allow-origin", cors["origin"])
  if configuration.credentials then headers:replace("access-control-allow-credentials", "true") end
  if configuration.exposed then headers:replace("access-control-expose-headers", configuration.exposed) end
end
