# An administrator may name a component.
connect
authenticate 0 Admin key
    check Admin key
identity admin
    become admin
    want wave
modify 0 1: +0 a:b {} in shop
    add 0 a.js:b {} in shop journal None
    want wave
mutation 0 a:b {} in shop
    run mutation 0 a.js:b {} as admin, request 0b7f6589656abd68
