"""TLS in front of a plain server on loopback: tls_proxy.py PORT CERTIFICATE KEY PORT_OF_THE_SERVER"""
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


def serve(connection, context, behind):
    try:
        outside = context.wrap_socket(connection, server_side=True)
        inside = socket.create_connection(("127.0.0.1", behind))
    except OSError:
        connection.close()
        return
    threading.Thread(target=forward, args=(inside, outside), daemon=True).start()
    forward(outside, inside)


def main():
    port, certificate, key, behind = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context, int(behind)), daemon=True).start()


main()
