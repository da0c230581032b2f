#include "appliance/http/reply.h"

#include "appliance/base/log.h"

namespace skerry::http {

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      break;
  }
  constexpr std::string_view kClasses[] = {"Information", "Success", "Redirection", "Client Error",
                                           "Server Error"};
  const int index = status / 100 - 1;
  return index >= 0 && index < 5 ? kClasses[index] : "Unknown";
}

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

std::string SerializeHead(int status, const HeaderList& headers) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head += ReasonPhrase(status);
  head += "\r\n";
  for (const auto& [name, value] : headers) {
    head.append(OneLine(name)).append(": ").append(OneLine(value)).append("\r\n");
  }
  head += "\r\n";
  return head;
}

}  // namespace skerry::http
