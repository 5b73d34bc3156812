# Removing what does not live is a mistake that ends the socket.
connect
modify 0 1: -5
    close 1011 InternalServerError
