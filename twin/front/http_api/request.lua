-- What is checked of a request before anything else: the "total combined size of request line and header values". And what is
-- noted for the access log: path and agent. Requests that cannot be too large, whose path and agent need no escape and whose
-- path no route rewrites pass by. `LIMIT` is put before this text.
-- https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html

-- Headers that Envoy has put there, not the client.
local ADDED = {
  [":scheme"] = true, ["x-forwarded-proto"] = true, ["x-request-id"] = true, ["x-envoy-external-address"] = true,
}
local REQUEST_LINE = #"  HTTP/1.1"

local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\"}

-- As the content of a string of JSON; a byte that is not ASCII stands for the character of its number (ISO 8859-1).
local function escaped(text)
  return (text:gsub('[%c"\\\127-\255]', function(character)
    return ESCAPES[character] or string.format("\\u%04x", character:byte())
  end))
end

function envoy_on_request(handle)
  local size, path, agent = REQUEST_LINE, "", nil
  for name, value in pairs(handle:headers()) do
    if not ADDED[name] then size = size + #value end
    if name == ":path" then path = value end
    if name == "user-agent" then agent = value end
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("twin.request", "path", escaped(path:match("^[^?]*")))
  if agent then metadata:set("twin.request", "userAgent", escaped(agent)) end
  if size > LIMIT then handle:respond({[":status"] = "431"}, "") end
end
