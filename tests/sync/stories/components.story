# Only an administrator may name a component.
connect
modify 0 1: +0 a:b {} in shop
    -> FatalError {"error": "Only admin or system users can call functions on non-root components directly"}
    close without status
