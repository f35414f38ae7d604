"""Elastic Load Balancing's data plane: application and network load balancers.

General layout:

    model       listeners, their rules, target groups and targets (values)
    reading     the listeners and target groups in moto's store of ELBv2
    listeners   listeners and rules as Envoy's listeners and routes (pure)
    targets     target groups as Envoy's clusters and endpoints, states of targets (pure)
    balancer    the Envoy, the registration of tasks, the load balancers' addresses
"""

from twin.front.alb.balancer import LoadBalancers

__all__ = ["LoadBalancers"]
