-- API Gateway decodes path parameters before it passes them on: of what may be in a path undecoded that is letters, digits,
-- -._~ and the slash.
-- https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html

function envoy_on_request(handle)
  local headers = handle:headers()
  local path, query = headers:get(":path"):match("^([^?]*)(.*)$")
  local decoded = path:gsub("%%(%x%x)", function(digits)
    local character = string.char(tonumber(digits, 16))
    if character:find("^[%w%-._~/]") then return character end
  end)
  if decoded ~= path then headers:replace(":path", decoded .. query) end
end
