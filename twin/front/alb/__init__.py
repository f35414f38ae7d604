"""Elastic Load Balancing's data plane: application load balancers before the same tasks, for comparison.

General layout:

    model           listeners, target groups and targets (values)
    reading         the listeners and target groups in moto's store of ELBv2
    configuration   the model as Envoy's listeners, clusters and endpoints (pure)
    balancer        the Envoy, the registration of tasks, the states of targets
"""

from twin.front.alb.balancer import LoadBalancers

__all__ = ["LoadBalancers"]
