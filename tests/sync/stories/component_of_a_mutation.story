# A mutation that names a component without the admin key is not run.
connect
mutation 0 a:b {} in shop
    -> FatalError {"error": "Only admin or system users can call functions on non-root components directly"}
    close without status
