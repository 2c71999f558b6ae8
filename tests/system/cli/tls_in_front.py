"""Speaks TLS with whoever comes, and hands everything on in the clear: PORT CERTIFICATE KEY HOST:PORT."""
import socket
import ssl
import sys
import threading

port, certificate, key, behind = sys.argv[1:]
host, _, to = behind.partition(":")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", int(port)))
print("listening", flush=True)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(plain):
    try:
        front = context.wrap_socket(plain, server_side=True)
        back = socket.create_connection((host, int(to)))
    except OSError:
        return
    threading.Thread(target=pump, args=(front, back), daemon=True).start()
    pump(back, front)


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
