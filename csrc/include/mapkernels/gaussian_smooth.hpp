#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace mapkernels {

/// Widths beyond this are refused: the kernel would have more than 2^24 taps a side.
constexpr double max_smoothing_width = 4194303.0;  // [pixels]

/// One side of the kernel scipy.ndimage.gaussian_filter(mode="wrap") uses, for maps of
/// `side` pixels.
///
/// Element k is the weight at distance k: exp(-k^2 / 2 width^2) for k <= int(4 width + 0.5),
/// normalized to a sum of 1 over both sides. A kernel longer than the map is wrapped onto it, so
/// that there are never more than side / 2 + 1 elements. Precondition: 0 <= width <=
/// max_smoothing_width.
std::vector<float> gaussian_weights(std::size_t side, double width);

/// Smooths maps of one size by one width. Holds scratch memory, so each thread needs its own.
class GaussianSmoother {
public:
    /// Preconditions: side >= 1, 0 <= width <= max_smoothing_width.
    /// If `streaming`, results are written past the caches: for what is not read again soon.
    GaussianSmoother(std::size_t side, double width, bool streaming = false);
    ~GaussianSmoother();
    GaussianSmoother(const GaussianSmoother&) = delete;
    GaussianSmoother& operator=(const GaussianSmoother&) = delete;

    /// True if smoothing changes nothing: width < 1/8 pixel leaves a kernel of one tap.
    [[nodiscard]] bool is_identity() const noexcept;

    /// Smooths one map of side * side floats; `out` may be `map` itself, but not overlap
    /// it otherwise. `next` is the map that will be read next, if there is one: it is fetched.
    void smooth(const float* map, float* out, const float* next = nullptr);

private:
    struct Scratch;
    std::unique_ptr<Scratch> scratch_;
};

/// Gaussian smoothing of periodic square maps.
///
/// out = maps * G(width), separable, wrapped in both axes, truncated at 4 sigma. Preconditions
/// (checked by the caller): side >= 1, 0 <= width <= max_smoothing_width; `maps` and `out` hold
/// n_maps * side * side floats, and are the same or do not overlap. Two pixels at the same distance
/// are added before they are weighted, so pixels of 2^127 (1.7e38) and above may give inf where the
/// weighted sum would not; nobody checks that, but preprocess reports such a pixel. Cost: 4 r
/// side^2 additions and half as many multiplications a map, r = 4 width. The result does not depend
/// on n_threads.
void gaussian_smooth(const float* maps, std::size_t n_maps, std::size_t side, double width,
                     int n_threads, float* out);

}  // namespace mapkernels
