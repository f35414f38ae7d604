        return api.client.request(method, path).json().get("path")

    keys = ["GET /s/{proxy+}", "ANY /s/orders/{proxy+}", "GET /s/orders/{proxy+}", "ANY /s/orders/{id}"]
    keys += ["ANY /s/a/{what}", "GET /s/{shop}/orders"]
    expected = {
        ("GET", "/s/orders/7/items"): "/GET-s-orders-proxy",  # its literal comes before the variable's greed
        ("PUT", "/s/orders/7/items"): "/ANY-s-orders-proxy",
