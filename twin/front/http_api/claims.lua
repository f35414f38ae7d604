-- What API Gateway checks of a token beyond its signature, issuer and times, which Envoy's own filter has checked.
-- https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
-- It runs only for routes that ask for a token; their audience and scopes are its context.

local function contains(wanted, value)
  for _, each in ipairs(wanted) do
    if each == value then return true end
  end
  return false
end

local function any(wanted, values)
  if type(values) ~= "table" then values = {values} end
  for _, value in ipairs(values) do
    if contains(wanted, value) then return true end
  end
  return false
end

local function granted_scopes(claims)
  local granted = {}
  for _, claim in ipairs({claims["scope"] or "", claims["scp"] or ""}) do
    if type(claim) == "table" then claim = table.concat(claim, " ") end
    for scope in claim:gmatch("%S+") do table.insert(granted, scope) end
  end
  return granted
end

-- Status, message and the error's name and description; nothing if the token is good.
local function refusal(handle)
  local audience, scopes = handle:filterContext():get("audience"), handle:filterContext():get("scopes")
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local claims, header = verified["claims"], verified["header"]
  if header["kid"] == nil then
    return "401", "Unauthorized", "invalid_token", "the token does not name its key"
  end
  -- client_id counts only where there is no aud.
  if not any(audience, claims["aud"] or claims["client_id"]) then
    return "401", "Unauthorized", "invalid_token", "the token does not have a valid audience"
  end
  if claims["exp"] == nil then
    return "401", "Unauthorized", "invalid_token", "the token does not expire"
  end
  -- os.time() may be some milliseconds late, and deny a token of this very second.
  if claims["iat"] ~= nil and claims["iat"] * 1000 > handle:timestamp() then
    return "401", "Unauthorized", "invalid_token", "the token is issued in the future"
  end
  if #scopes > 0 and not any(scopes, granted_scopes(claims)) then
    return "403", "Forbidden", "insufficient_scope", "the token has none of the route's scopes"
  end
end

function envoy_on_request(handle)
  -- Envoy lets a request pass when a script fails; here it must not.
  local ran, status, message, name, description = pcall(refusal, handle)
  if not ran then
    handle:logErr("claims: " .. tostring(status))
    status, message, name, description = "401", "Unauthorized", "invalid_token", "the token's claims are malformed"
  end
  if status == nil then return end
  handle:streamInfo():dynamicMetadata():set("twin.claims", "error", description)  -- for the access log
  handle:respond({
    [":status"] = status,
    ["www-authenticate"] = 'Bearer scope="" error="' .. name .. '" error_description="' .. description .. '"',
  }, '{"message":"' .. message .. '"}')
end
