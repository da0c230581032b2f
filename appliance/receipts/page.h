// A receipt as a page to print and sign by hand: HTML without scripts, links or anything else from
// outside the file.
#pragma once

#include <string>
#include <string_view>

#include "appliance/receipts/receipt.h"

namespace skerry::receipts {

// ASCII, complete, ends in a line feed. The same receipt gives the same bytes.
std::string ReceiptPage(const SignedReceipt& receipt);

// `text` for a place between tags or in an attribute's quotes: & < > " ' become entities.
std::string EscapeHtml(std::string_view text);

}  // namespace skerry::receipts
