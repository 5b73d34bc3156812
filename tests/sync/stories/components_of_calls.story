# Only an administrator may name a component, also in a mutation; an empty name is the application.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
action 1 a:b {} in shop
    -> FatalError {"error": "Only admin or system users can call functions on non-root components directly"}
    close without status
mutation 2 a:b {} in shop
