module tidegate.dev/tools/gateway-api

go 1.26.0

// No program: its resource definitions are what is used.
require sigs.k8s.io/gateway-api v1.6.1
