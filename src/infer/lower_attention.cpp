// Attention and Einsum, brought down to matrix products.
#include <algorithm>
#include <cmath>
#include <limits>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

using F = Function;

/// (batch, sequence, heads * size) to (batch, heads, sequence, size).
ValueId split_heads(NodeLowering& n, ValueId x, std::int64_t heads, const char* attribute) {
  const Shape s = n.shape(x);
  if (heads < 1 || s[2] % heads != 0)
    n.contradiction("has " + std::string(attribute) + " = " + std::to_string(heads) + " for " + to_text(s));
  return permute(n, n.emit_alias(x, {s[0], s[1], heads, s[2] / heads}), {0, 2, 1, 3});
}

/// Each head of keys or values serves `repeats` heads of queries (grouped queries).
ValueId repeat_heads(NodeLowering& n, ValueId x, std::int64_t repeats) {
  if (repeats == 1) return x;
  Copy copy = same_axes(4);
  Shape shape = n.shape(x);
  shape[1] *= repeats;
  for (std::int64_t i = 0; i < shape[1]; ++i) copy.tables[1].push_back(static_cast<std::int32_t>(i / repeats));
  return n.emit_copy(std::move(copy), x, std::move(shape));
}

ValueId append(NodeLowering& n, std::size_t past, ValueId now) {
  if (!n.has_input(past)) return now;
  const ValueId before = n.input(past);
  Shape shape = n.shape(now), rest = n.shape(before);
  if (rest.size() != 4) n.contradiction("has a past of shape " + to_text(rest));
  shape[2] += rest[2];
  rest[2] = shape[2];
  if (rest != shape) n.contradiction("joins a past of " + to_text(n.shape(before)) + " and " + to_text(n.shape(now)));
  return n.emit(Concat{2}, {before, now}, n.type(now), std::move(shape));
}

/// A bool mask as 0 where it is true and minus infinity elsewhere.
ValueId as_bias(NodeLowering& n, ValueId keep, ElementType type) {
  const double none = -std::numeric_limits<double>::infinity();
  return n.emit_map(F::where,
                    {keep, n.add_constant(Array::scalar(type, 0)), n.add_constant(Array::scalar(type, none))});
}

/// The given mask, padded to all keys; positions beyond it are masked.
ValueId given_mask(NodeLowering& n, std::int64_t keys, ElementType type) {
  ValueId mask = n.input(3);
  if (n.type(mask) == ElementType::boolean) mask = as_bias(n, mask, type);
  if (n.rank(mask) < 1) return mask;
  Shape shape = n.shape(mask);
  if (shape.back() >= keys || shape.back() == 1) return mask;
  Copy pad = same_axes(n.rank(mask));
  pad.fill = -std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < keys; ++i)
    pad.tables.back().push_back(static_cast<std::int32_t>(i < shape.back() ? i : -1));
  shape.back() = keys;
  return n.emit_copy(std::move(pad), mask, std::move(shape));
}

/// The keys that a query sees around its own position, -1 for all on that side. The first query stands at `past`, or
/// where the keys' lengths are given (nonpad_kv_seqlen), so that the last one stands at the last key of its item.
struct Band {
  std::int64_t left = -1, right = -1, past = 0;
  bool all() const { return left < 0 && right < 0; }
};

Band band_of(NodeLowering& n) {
  Band band{n.integer("left_window_size", -1), n.integer("right_window_size", -1),
            n.has_input(4) ? n.shape(n.input(4))[2] : 0};
  if (band.left < -1 || band.right < -1)
    n.contradiction("has windows of " + std::to_string(band.left) + " and " + std::to_string(band.right) +
                    " keys; -1 is for all");
  if (n.integer("is_causal", 0) != 0) band.right = 0;
  return band;
}

ValueId band_mask(NodeLowering& n, const Band& band, std::int64_t queries, std::int64_t keys, ElementType type) {
  Array bias(type, {queries, keys});
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = 0; j < keys; ++j) {
      const std::int64_t behind = j - (band.past + i);
      if ((band.right >= 0 && behind > band.right) || (band.left >= 0 && -behind > band.left))
        bias.set_real(i * keys + j, -INFINITY);
    }
  return n.add_constant(std::move(bias));
}

/// nonpad_kv_seqlen as (batch, 1, 1, 1).
ValueId key_lengths(NodeLowering& n) {
  const ValueId lengths = n.input(6);
  return n.emit_alias(lengths, {n.shape(lengths)[0], 1, 1, 1});
}

/// Of one side of the band, for each item's number of keys: j - i + queries - length is at most `right`, or at least
/// -left.
ValueId side_mask(NodeLowering& n, std::int64_t extent, bool right, std::int64_t queries, std::int64_t keys,
                  ElementType type) {
  const ValueId lengths = key_lengths(n);
  Array limits(n.type(lengths), {1, 1, queries, keys});
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = 0; j < keys; ++j)
      limits.set_integer(i * keys + j, j - i + queries + (right ? -extent - 1 : extent + 1));
  const ValueId limit = n.add_constant(std::move(limits));
  return as_bias(n, right ? n.emit_map(F::less, {limit, lengths}) : n.emit_map(F::less, {lengths, limit}), type);
}

/// Keys from nonpad_kv_seqlen on are masked, in each item of the batch.
ValueId padding_mask(NodeLowering& n, std::int64_t keys, ElementType type) {
  const ValueId lengths = key_lengths(n);
  Array positions(n.type(lengths), {1, 1, 1, keys});
  for (std::int64_t i = 0; i < keys; ++i) positions.set_integer(i, i);
  return as_bias(n, n.emit_map(F::less, {n.add_constant(std::move(positions)), lengths}), type);
}

struct Bias {
  ValueId value = no_value;
  void add(NodeLowering& n, ValueId more) { value = value == no_value ? more : n.emit_map(F::add, {value, more}); }
};

/// A query that sees no key has weights of zero; their softmax is no number.
ValueId without_masked_rows(NodeLowering& n, ValueId weights, ValueId bias) {
  if (n.rank(bias) < 1) return weights;
  const ValueId lowest = scalar_like(n, bias, -std::numeric_limits<double>::infinity());
  const ValueId masked = n.emit_map(F::equal, {reduce(n, bias, Reduction::Kind::max, {n.rank(bias) - 1}), lowest});
  if (n.is_constant(masked)) {
    const Array& rows = n.known(masked, "a row that is masked");
    bool any = false;
    for (std::int64_t i = 0; i < rows.count(); ++i) any = any || rows.integer(i) != 0;
    if (!any) return weights;
  }
  return n.emit_map(F::where, {masked, scalar_like(n, weights, 0), weights});
}

/// softmax(softcap(scale * Q K^T) + bias) V. A. Vaswani et al., "Attention is all you need", NIPS 2017, eq. 1, with the
/// additions of ONNX's Attention (opsets 23 to 25).
void attention(NodeLowering& n) {
  ValueId q = n.input(0), k = n.input(1), v = n.input(2);
  const bool flat = n.rank(q) == 3;
  if ((n.rank(q) != 3 && n.rank(q) != 4) || n.rank(k) != n.rank(q) || n.rank(v) != n.rank(q))
    n.contradiction("has inputs of shapes " + to_text(n.shape(q)) + ", " + to_text(n.shape(k)) + " and " +
                    to_text(n.shape(v)));
  if (flat) {
    q = split_heads(n, q, n.integer("q_num_heads", 0), "q_num_heads");
    k = split_heads(n, k, n.integer("kv_num_heads", 0), "kv_num_heads");
    v = split_heads(n, v, n.integer("kv_num_heads", 0), "kv_num_heads");
  }
  const ElementType type = n.type(q);
  k = append(n, 4, k);
  v = append(n, 5, v);
  n.output(1, k);
  n.output(2, v);
  const Shape sq = n.shape(q), sk = n.shape(k);
  if (sk[1] < 1 || sq[1] % sk[1] != 0)
    n.contradiction("has " + std::to_string(sq[1]) + " heads of queries for " + std::to_string(sk[1]) + " of keys");
  k = repeat_heads(n, k, sq[1] / sk[1]);
  v = repeat_heads(n, v, sq[1] / sk[1]);
  const double scale = n.has_attribute("scale") ? static_cast<double>(n.real("scale", 1.0F))
                                                : 1.0 / std::sqrt(static_cast<double>(sq[3]));
  const ValueId root = scalar_like(n, q, std::sqrt(scale));  // on both sides: float16 overflows otherwise
  ValueId scores = product(n, n.emit_map(F::mul, {q, root}), n.emit_map(F::mul, {k, root}), false, true, no_value);
  const std::int64_t mode = n.integer("qk_matmul_output_mode", 0);
  if (mode == 0) n.output(3, scores);
  if (const float cap = n.real("softcap", 0.0F); cap > 0.0F) {
    const ValueId limit = scalar_like(n, scores, static_cast<double>(cap));
    scores = n.emit_map(F::mul, {n.emit_map(F::tanh, {n.emit_map(F::div, {scores, limit})}), limit});
  }
  if (mode == 1) n.output(3, scores);
  Bias bias;
  const std::int64_t queries = sq[2], keys = sk[2];
  if (n.has_input(3)) bias.add(n, given_mask(n, keys, type));
  const Band band = band_of(n);
  const bool by_length = n.has_input(6) && !n.has_input(4);
  if (!band.all() && !by_length) bias.add(n, band_mask(n, band, queries, keys, type));
  if (band.right >= 0 && by_length) bias.add(n, side_mask(n, band.right, true, queries, keys, type));
  if (band.left >= 0 && by_length) bias.add(n, side_mask(n, band.left, false, queries, keys, type));
  if (n.has_input(6)) bias.add(n, padding_mask(n, keys, type));
  if (bias.value != no_value) scores = n.emit_map(F::add, {scores, bias.value});
  if (mode == 2) n.output(3, scores);
  const auto precision =
      n.has_attribute("softmax_precision") ? element_type_of(n.integer("softmax_precision", 1)) : type;
  const ValueId wide = cast_to(n, scores, precision.value_or(type));
  ValueId weights = cast_to(n, n.emit(Softmax{3, false}, {wide}, n.type(wide), n.shape(wide)), type);
  if (bias.value != no_value) weights = without_masked_rows(n, weights, bias.value);
  if (mode == 3) n.output(3, weights);
  ValueId y = product(n, weights, v, false, false, no_value);
  if (flat) {
    y = permute(n, y, {0, 2, 1, 3});
    const Shape s = n.shape(y);
    y = n.emit_alias(y, {s[0], s[1], s[2] * s[3]});
  }
  n.output(0, y);
}

/// A tensor whose axes are named by letters; an ellipsis' axes are named '0', '1', ... from the right.
struct Term {
  ValueId value = no_value;
  std::string labels;
};

std::string without_blanks(std::string text) {
  std::erase(text, ' ');
  return text;
}

/// Spells out the ellipsis of one side.
std::string expand(NodeLowering& n, const std::string& labels, std::size_t ellipsis_rank) {
  const std::size_t dots = labels.find("...");
  std::string out = labels;
  if (dots != std::string::npos) {
    std::string axes;
    for (std::size_t i = ellipsis_rank; i-- > 0;) axes += static_cast<char>('0' + i);
    out = labels.substr(0, dots) + axes + labels.substr(dots + 3);
  }
  for (const char c : out)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '7')))
      n.contradiction("has the equation '" + n.text("equation", "") + "'");
  return out;
}

/// Axes with the same letter become their diagonal.
Term diagonal(NodeLowering& n, Term t) {
  for (std::size_t i = 0; i < t.labels.size(); ++i)
    for (std::size_t j = t.labels.size() - 1; j > i; --j) {
      if (t.labels[i] != t.labels[j]) continue;
      // j comes right behind i; both as one axis, of which every (extent + 1)th element stays.
      std::vector<int> order;
      for (std::size_t k = 0; k < t.labels.size(); ++k) {
        if (k != j) order.push_back(static_cast<int>(k));
        if (k == i) order.push_back(static_cast<int>(j));
      }
      const ValueId moved = permute(n, t.value, order);
      Shape shape = n.shape(moved);
      const std::int64_t extent = shape[i];
      if (shape[i + 1] != extent) n.contradiction("takes the diagonal of " + to_text(n.shape(t.value)));
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(i));
      shape[i] = extent * extent;
      const ValueId merged = n.emit_alias(moved, shape);
      Copy copy = same_axes(n.rank(merged));
      for (std::int64_t k = 0; k < extent; ++k) copy.tables[i].push_back(static_cast<std::int32_t>(k * (extent + 1)));
      shape[i] = extent;
      t.value = n.emit_copy(std::move(copy), merged, shape);
      t.labels.erase(j, 1);
    }
  return t;
}

bool has(const std::string& labels, char c) { return labels.find(c) != std::string::npos; }

/// Sums over the axes that nothing names any more.
Term sum_away(NodeLowering& n, Term t, const std::string& needed) {
  std::vector<int> axes;
  Term left{t.value, {}};
  Shape shape;
  for (std::size_t i = 0; i < t.labels.size(); ++i) {
    if (!has(needed, t.labels[i])) {
      axes.push_back(static_cast<int>(i));
      continue;
    }
    left.labels += t.labels[i];
    shape.push_back(n.shape(t.value)[i]);
  }
  if (axes.empty()) return t;
  left.value = n.emit_alias(reduce(n, t.value, Reduction::Kind::sum, axes), shape);
  return left;
}

std::int64_t extent_of(NodeLowering& n, const Term& t, char c) { return n.shape(t.value)[t.labels.find(c)]; }

/// The axes in the order of `labels`; those that the term lacks are left out.
Term ordered(NodeLowering& n, const Term& t, const std::string& labels) {
  std::vector<int> order;
  Term out;
  for (const char c : labels)
    if (has(t.labels, c)) {
      order.push_back(static_cast<int>(t.labels.find(c)));
      out.labels += c;
    }
  out.value = permute(n, t.value, order);
  return out;
}

/// Two terms to one by a matrix product: axes of both that stay are its batch, those that go are summed.
Term contract(NodeLowering& n, Term a, Term b, const std::string& later) {
  a = sum_away(n, a, b.labels + later);
  b = sum_away(n, b, a.labels + later);
  std::string batch, summed, rows, columns;
  for (const char c : a.labels) (has(b.labels, c) ? (has(later, c) ? batch : summed) : rows) += c;
  for (const char c : b.labels)
    if (!has(a.labels, c)) columns += c;
  for (const char c : batch + summed) {
    const std::int64_t ea = extent_of(n, a, c), eb = extent_of(n, b, c);
    if (ea == eb) continue;
    if (ea != 1 && eb != 1)
      n.contradiction("has extents " + std::to_string(ea) + " and " + std::to_string(eb) + " for '" + c + "'");
    Term& narrow = ea == 1 ? a : b;
    Copy wide = same_axes(n.rank(narrow.value));
    Shape shape = n.shape(narrow.value);
    wide.axes[narrow.labels.find(c)] = -1;
    shape[narrow.labels.find(c)] = std::max(ea, eb);
    narrow.value = n.emit_copy(std::move(wide), narrow.value, std::move(shape));
  }
  a = ordered(n, a, batch + rows + summed);
  b = ordered(n, b, batch + columns + summed);
  const auto count = [&](const Term& t, const std::string& labels) {
    std::int64_t all = 1;
    for (const char c : labels) all *= extent_of(n, t, c);
    return all;
  };
  const std::int64_t batches = count(a, batch), k = count(a, summed);
  Shape shape;
  for (const char c : batch + rows) shape.push_back(extent_of(n, a, c));
  for (const char c : columns) shape.push_back(extent_of(n, b, c));
  const ValueId left = n.emit_alias(a.value, {batches, count(a, rows), k});
  const ValueId right = n.emit_alias(b.value, {batches, count(b, columns), k});
  return {n.emit_alias(product(n, left, right, false, true, no_value), shape), batch + rows + columns};
}

/// "ij,jk->ik": term by term from the left.
void einsum(NodeLowering& n) {
  const std::string equation = without_blanks(n.text("equation", ""));
  const std::size_t arrow = equation.find("->");
  std::vector<std::string> sides;
  const std::string left = equation.substr(0, arrow);
  for (std::size_t at = 0; at <= left.size();) {
    const std::size_t comma = std::min(left.find(',', at), left.size());
    sides.push_back(left.substr(at, comma - at));
    at = comma + 1;
  }
  if (sides.size() != n.input_count())
    n.contradiction("has the equation '" + equation + "' for " + std::to_string(n.input_count()) + " inputs");
  std::vector<Term> terms;
  std::size_t widest = 0;
  std::string all;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    const auto rank = static_cast<std::size_t>(n.rank(n.input(i)));
    const bool dots = sides[i].find("...") != std::string::npos;
    const std::size_t named = sides[i].size() - (dots ? 3 : 0);
    if (rank < named || (!dots && rank != named) || rank - named > 8)
      n.contradiction("has the equation '" + equation + "' for an input of " + to_text(n.shape(n.input(i))));
    if (dots) widest = std::max(widest, rank - named);
    terms.push_back(diagonal(n, {n.input(i), expand(n, sides[i], rank - named)}));
    all += expand(n, sides[i], rank - named);
  }
  std::string target;
  if (arrow != std::string::npos) {
    target = expand(n, equation.substr(arrow + 2), widest);
  } else {  // the ellipsis, then the letters that occur once, sorted
    target = expand(n, "...", widest);
    std::string once;
    for (const char c : all)
      if (c > '9' && std::count(all.begin(), all.end(), c) == 1) once += c;
    std::sort(once.begin(), once.end());
    target += once;
  }
  for (const char c : target)
    if (!has(all, c)) n.contradiction("has the equation '" + equation + "', whose result names '" + c + "'");
  Term result = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) {
    std::string later = target;
    for (std::size_t j = i + 1; j < terms.size(); ++j) later += terms[j].labels;
    result = contract(n, result, terms[i], later);
  }
  n.output(0, ordered(n, sum_away(n, result, target), target).value);
}

constexpr OperatorRow rows[] = {{"Attention", attention}, {"Einsum", einsum}};

}  // namespace

std::span<const OperatorRow> attention_operators() { return rows; }

}  // namespace isocenter::infer
