#include "vault/access/policy.h"

#include <algorithm>

namespace telltale::access {
namespace {

template <typename Value>
bool Meet(const std::vector<Value>& one, const std::vector<Value>& other) {
  return std::any_of(one.begin(), one.end(), [&](const Value& value) {
    return std::find(other.begin(), other.end(), value) != other.end();
  });
}

bool Is(const Person& person, const Caller& caller) {
  if (caller.uid &&
      std::find(person.uids.begin(), person.uids.end(), *caller.uid) != person.uids.end()) {
    return true;
  }
  for (const std::string& certificate : person.certificates) {
    if (!caller.common_name.empty() && certificate == caller.common_name) return true;
    if (!caller.fingerprint.empty() && certificate == "sha256:" + caller.fingerprint) return true;
  }
  return false;
}

}  // namespace

std::string_view VerbName(Verb verb) {
  switch (verb) {
    case Verb::kRequest:
      return "request";
    case Verb::kApprove:
      return "approve";
    case Verb::kAudit:
      return "audit";
    case Verb::kSubjectExport:
      return "subject_export";
    case Verb::kHold:
      return "hold";
    case Verb::kOperate:
      return "operate";
    case Verb::kEditPolicy:
      return "edit_policy";
  }
  return "none";
}

std::string_view FormName(Form form) {
  switch (form) {
    case Form::kTrace:
      return "trace";
    case Form::kCells:
      return "cells";
    case Form::kDistanceBins:
      return "distance_bins";
  }
  return "none";
}

PersonKey KeyOf(const Person& person) { return {person.number, person.uids, person.certificates}; }

bool IsSamePerson(const PersonKey& one, const PersonKey& other) {
  if (one.number == 0 || other.number == 0) return false;
  return one.number == other.number || Meet(one.uids, other.uids) ||
         Meet(one.certificates, other.certificates);
}

const Person* Policy::PersonOf(const Caller& caller) const {
  const Person* found = nullptr;
  for (const Person& person : people) {
    if (!Is(person, caller)) continue;
    if (found != nullptr) return nullptr;
    found = &person;
  }
  return found;
}

const Person* Policy::PersonOf(std::uint32_t number) const {
  for (const Person& person : people) {
    if (person.number == number) return &person;
  }
  return nullptr;
}

bool Policy::Has(const Person& person, Verb verb) const {
  return std::any_of(person.roles.begin(), person.roles.end(), [&](const std::string& role) {
    const auto found = roles.find(role);
    return found != roles.end() && found->second.contains(verb);
  });
}

std::string Policy::RoleFor(const Person& person, const Purpose& purpose) const {
  for (const std::string& role : person.roles) {
    const auto found = roles.find(role);
    if (found == roles.end() || !found->second.contains(Verb::kRequest)) continue;
    if (Meet({role}, purpose.roles)) return role;
  }
  return "";
}

bool Policy::MayApprove(const Person& person, const Approval& approval) const {
  return std::any_of(person.roles.begin(), person.roles.end(), [&](const std::string& role) {
    const auto found = roles.find(role);
    return found != roles.end() && found->second.contains(Verb::kApprove) &&
           Meet({role}, approval.roles);
  });
}

}  // namespace telltale::access
