"""The world outside: answers TCP, UDP and DNS, and notes every packet that arrives.

Usage: sink.py INTERFACE ADDRESS4 ADDRESS6 LOG

Each packet from the other side becomes a JSON line in LOG: what it is, source, destination. Address resolution
and multicast housekeeping are left out: they carry nothing anyone chose. "ready" on standard output says that
all sockets listen.
"""

import json
import socket
import struct
import sys
import threading

ECHO_PORT = 7
DNS_PORT = 53
HOUSEKEEPING = set(range(130, 138)) | {143}  # ICMPv6: multicast listeners, neighbours, routers


def dns_answer(query, address):
    """An A record for whatever was asked (RFC 1035, section 4)."""
    end = query.index(b"\0", 12) + 5
    kind = struct.unpack("!H", query[end - 4 : end - 2])[0]
    answers = 1 if kind == 1 else 0
    head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, answers, 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
    return head + query[12:end] + (record if answers else b"")


def serve_udp(sock, respond):
    while True:
        data, peer = sock.recvfrom(65535)
        try:
            sock.sendto(respond(data), peer)
        except (OSError, ValueError, struct.error):
            pass


def echo_connection(connection):
    with connection:
        while data := connection.recv(65535):
            connection.sendall(data)


def serve_tcp(sock):
    while True:
        connection, _ = sock.accept()
        threading.Thread(target=swallow, args=(echo_connection, connection), daemon=True).start()


def swallow(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass


def ports(protocol, payload):
    if protocol in (6, 17) and len(payload) >= 4:
        return struct.unpack("!HH", payload[:4])
    return (None, None)


def describe(frame):
    """What the frame is, or None for housekeeping."""
    kind = struct.unpack("!H", frame[12:14])[0]
    packet = frame[14:]
    if kind == 0x0800 and len(packet) >= 20:
        protocol = packet[9]
        source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        payload = packet[(packet[0] & 15) * 4 :]
    elif kind == 0x86DD and len(packet) >= 40:
        protocol, payload = packet[6], packet[40:]
        source = socket.inet_ntop(socket.AF_INET6, packet[8:24])
        destination = socket.inet_ntop(socket.AF_INET6, packet[24:40])
        if protocol == 0 or (protocol == 58 and payload and payload[0] in HOUSEKEEPING):
            return None
    else:
        return None
    source_port, destination_port = ports(protocol, payload)
    return {"protocol": protocol, "source": source, "source_port": source_port,
            "destination": destination, "destination_port": destination_port}


def sniff(sock, log):
    while True:
        frame, origin = sock.recvfrom(65535)
        if origin[2] == socket.PACKET_OUTGOING or len(frame) < 14:
            continue
        packet = describe(frame)
        if packet:
            log.write(json.dumps(packet) + "\n")
            log.flush()


def main():
    interface, address4, address6, path = sys.argv[1:]
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    packets.bind((interface, 0))
    jobs = [(sniff, (packets, open(path, "w", encoding="ascii")))]
    for family, address in ((socket.AF_INET, address4), (socket.AF_INET6, address6)):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, ECHO_PORT))
        listener.listen(64)
        jobs.append((serve_tcp, (listener,)))
        echo = socket.socket(family, socket.SOCK_DGRAM)
        echo.bind((address, ECHO_PORT))
        jobs.append((serve_udp, (echo, lambda data: data)))
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((address4, DNS_PORT))
    jobs.append((serve_udp, (names, lambda query: dns_answer(query, address4))))
    threads = [threading.Thread(target=job, args=arguments, daemon=True) for job, arguments in jobs]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()  # until the test closes it


if __name__ == "__main__":
    main()
