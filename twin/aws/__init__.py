"""What answers as AWS: the endpoint, who may ask it, and its services: ECS is the twin's own, the others are moto's."""
