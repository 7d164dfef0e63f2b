#include "net/http_message.h"

namespace telltale::net {

unsigned HttpStatusOf(Code code) {
  switch (code) {
    case Code::kInvalid:
      return 400;
    case Code::kRefused:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kExists:
      return 409;
    case Code::kTooBig:
      return 413;
    case Code::kOverloaded:
    case Code::kUnavailable:
      return 503;
    case Code::kUnsupported:
      return 501;
    default:
      return 500;
  }
}

}  // namespace telltale::net
