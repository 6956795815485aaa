"""TLS on loopback for programs that have none.

    tls_proxy.py PORT CERTIFICATE KEY TARGET [AUTHORITIES]           TLS in front of a plain server at port TARGET; with
                                                                     AUTHORITIES clients have to show a certificate
    tls_proxy.py --outwards PORT CERTIFICATE KEY TARGET AUTHORITIES  plain in front of a TLS server
"""
import socket
import ssl
import sys
import threading


def forward(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(connection, context, target, outwards):
    outside = inside = connection
    try:
        inside = socket.create_connection(("127.0.0.1", target))
        if outwards:
            inside = context.wrap_socket(inside)
        else:
            outside = context.wrap_socket(connection, server_side=True)
    except OSError:
        inside.close()
        connection.close()
        return
    threading.Thread(target=forward, args=(inside, outside), daemon=True).start()
    forward(outside, inside)


def main():
    words = sys.argv[1:]
    outwards = words[0] == "--outwards"
    port, certificate, key, target, *authorities = words[1:] if outwards else words
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if outwards else ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authorities:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authorities[0])
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context, int(target), outwards), daemon=True).start()


main()
