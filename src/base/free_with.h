// A unique_ptr's deleter out of a C library's own: std::unique_ptr<X509, FreeWith<X509_free>>.
#pragma once

namespace telltale {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* what) const {
    Free(what);
  }
};

}  // namespace telltale
