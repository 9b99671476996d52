//! k-means: greedy k-means++ for the start, Lloyd's steps from there, the best of several starts.
//!
//! Arthur and Vassilvitskii 2007 for the start, of which scikit-learn's greedy form tries `2 + ln k` points for every
//! centre. A cluster that loses all its points takes the one that is farthest from its centre.

use super::pairs::squared_distance;

/// Lloyd's steps of one start.
const STEPS: usize = 300;

/// A start is good enough to be compared once the centres move by less than this share of the variance.
const TOLERANCE: f64 = 1e-4;

/// Centres after one another, and what they are worth.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clusters {
    pub(super) centres: Vec<f64>,
    pub(super) sizes: Vec<u64>,
    /// The sum of the squared distances of all points from their centres.
    pub(super) inertia: f64,
}

/// `k` clusters of points of `width` after one another; None if fewer than `k` of them differ. The largest cluster is
/// the first, and of equal ones the one whose centre comes first.
pub(super) fn fit(points: &[f64], width: usize, k: usize, seed: u64, starts: usize) -> Option<Clusters> {
    let problem = Problem { points, width, k };
    let mut random = Random(seed);
    let enough = TOLERANCE * problem.variance();
    let mut best: Option<(f64, Vec<f64>)> = None;
    for _ in 0..starts {
        let mut centres = problem.start(&mut random)?;
        let inertia = problem.descend(&mut centres, enough);
        if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
            best = Some((inertia, centres));
        }
    }
    let (_, mut centres) = best?;
    problem.descend(&mut centres, 0.0);
    Some(problem.described(&centres))
}

/// The nearest centre, the first of equally near ones, and the square of its distance.
pub(super) fn nearest(point: &[f64], centres: &[f64]) -> (usize, f64) {
    let distances = centres.chunks_exact(point.len()).map(|centre| squared_distance(point, centre));
    distances.enumerate().fold((0, f64::INFINITY), |best, found| if found.1 < best.1 { found } else { best })
}

struct Problem<'a> {
    points: &'a [f64],
    width: usize,
    k: usize,
}

impl Problem<'_> {
    fn points(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.points.chunks_exact(self.width)
    }

    fn point(&self, at: usize) -> &[f64] {
        &self.points[at * self.width..(at + 1) * self.width]
    }

    /// The variance of the features, added up.
    fn variance(&self) -> f64 {
        let count = self.points().len() as f64;
        let mut mean = vec![0.0; self.width];
        for point in self.points() {
            mean.iter_mut().zip(point).for_each(|(mean, value)| *mean += value / count);
        }
        self.points().map(|point| squared_distance(point, &mean)).sum::<f64>() / count
    }

    /// Centres that are far apart.
    fn start(&self, random: &mut Random) -> Option<Vec<f64>> {
        let count = self.points().len();
        let first = random.below(count as f64) as usize;
        let mut centres = self.point(first.min(count.checked_sub(1)?)).to_vec();
        let mut distances: Vec<f64> = self.points().map(|point| squared_distance(point, &centres)).collect();
        let trials = 2 + (self.k as f64).ln() as usize;
        for _ in 1..self.k {
            let total: f64 = distances.iter().sum();
            if total <= 0.0 {
                return None;
            }
            let mut best: Option<(f64, usize, Vec<f64>)> = None;
            for _ in 0..trials {
                let candidate = chosen(&distances, random.below(total))?;
                let point = self.point(candidate);
                let nearer: Vec<f64> = self
                    .points()
                    .zip(&distances)
                    .map(|(other, distance)| squared_distance(other, point).min(*distance))
                    .collect();
                let sum = nearer.iter().sum();
                if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                    best = Some((sum, candidate, nearer));
                }
            }
            let (_, candidate, nearer) = best?;
            centres.extend_from_slice(self.point(candidate));
            distances = nearer;
        }
        Some(centres)
    }

    /// Moves centres to the means of their points until they stay; the inertia before the last move.
    fn descend(&self, centres: &mut Vec<f64>, enough: f64) -> f64 {
        let mut inertia = f64::INFINITY;
        for _ in 0..STEPS {
            let mut sums = vec![0.0; centres.len()];
            let mut counts = vec![0_u64; self.k];
            let assigned: Vec<(usize, f64)> = self.points().map(|point| nearest(point, centres)).collect();
            for (point, (cluster, _)) in self.points().zip(&assigned) {
                counts[*cluster] += 1;
                let sum = &mut sums[cluster * self.width..(cluster + 1) * self.width];
                sum.iter_mut().zip(point).for_each(|(sum, value)| *sum += value);
            }
            inertia = assigned.iter().map(|(_, distance)| distance).sum();
            self.fill(&mut sums, &mut counts, &assigned);
            for (sum, count) in sums.chunks_exact_mut(self.width).zip(&counts) {
                sum.iter_mut().for_each(|value| *value /= (*count).max(1) as f64);
            }
            let moved = squared_distance(&sums, centres);
            *centres = sums;
            if moved <= enough {
                break;
            }
        }
        inertia
    }

    /// Gives clusters without points the points that are farthest from their centres.
    fn fill(&self, sums: &mut [f64], counts: &mut [u64], assigned: &[(usize, f64)]) {
        let empty: Vec<usize> = (0..self.k).filter(|cluster| counts[*cluster] == 0).collect();
        if empty.is_empty() {
            return;
        }
        let mut farthest: Vec<usize> = (0..assigned.len()).collect();
        farthest.sort_by(|a, b| assigned[*b].1.total_cmp(&assigned[*a].1));
        let mut farthest = farthest.into_iter();
        for cluster in empty {
            // A cluster's only point stays where it is.
            let Some(point) = farthest.find(|point| counts[assigned[*point].0] > 1) else { return };
            let from = assigned[point].0;
            counts[from] -= 1;
            counts[cluster] = 1;
            for (at, value) in self.point(point).iter().enumerate() {
                sums[from * self.width + at] -= value;
                sums[cluster * self.width + at] = *value;
            }
        }
    }

    fn described(&self, centres: &[f64]) -> Clusters {
        let mut sizes = vec![0; self.k];
        let mut inertia = 0.0;
        for point in self.points() {
            let (cluster, distance) = nearest(point, centres);
            sizes[cluster] += 1;
            inertia += distance;
        }
        let mut order: Vec<(u64, &[f64])> = sizes.into_iter().zip(centres.chunks_exact(self.width)).collect();
        order.sort_by(|(size, centre), (other_size, other)| {
            let mut pairs = centre.iter().zip(*other).map(|(a, b)| a.total_cmp(b));
            let by_centre = || pairs.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal);
            other_size.cmp(size).then_with(by_centre)
        });
        Clusters {
            sizes: order.iter().map(|(size, _)| *size).collect(),
            centres: order.iter().flat_map(|(_, centre)| centre.iter().copied()).collect(),
            inertia,
        }
    }
}

/// The place where the sum of `weights` first exceeds `target`, never one without weight.
fn chosen(weights: &[f64], target: f64) -> Option<usize> {
    let mut sum = 0.0;
    let place = weights.iter().position(|weight| {
        sum += weight;
        sum > target
    });
    place.or_else(|| weights.iter().rposition(|weight| *weight > 0.0))
}

/// Steele, Lea and Flood's SplitMix64 (2014): the same numbers for ever, which no version of a library promises.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64 * bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fisher's irises (1936), as scikit-learn has them: lengths and widths of sepals and petals.
    const IRIS: &str = include_str!("../../../tests/it/data/iris.csv");

    #[test]
    fn irises_find_the_known_optimum() {
        let points: Vec<f64> =
            IRIS.split_whitespace().flat_map(|row| row.split(',')).map(|x| x.parse().unwrap()).collect();
        assert_eq!(points.len(), 600);
        for seed in 0..5 {
            let found = fit(&points, 4, 3, seed, 10).unwrap();
            assert!((found.inertia - 78.851_441).abs() < 1e-6, "{}", found.inertia);
            assert_eq!(found.sizes, [62, 50, 38]);
        }
    }

    #[test]
    fn clusters_are_of_points_that_differ() {
        assert!(fit(&[1.0, 1.0, 2.0], 1, 3, 42, 1).is_none());
        assert!(fit(&[], 1, 1, 42, 1).is_none());
        let found = fit(&[1.0, 1.0, 2.0], 1, 2, 42, 1).unwrap();
        assert_eq!((found.centres, found.sizes, found.inertia), (vec![1.0, 2.0], vec![2, 1], 0.0));
    }

    #[test]
    fn empty_clusters_take_the_farthest_point() {
        let problem = Problem { points: &[0.0, 1.0, 9.0], width: 1, k: 3 };
        let mut centres = vec![0.0, 100.0, 200.0];
        problem.descend(&mut centres, 0.0);
        centres.sort_by(f64::total_cmp);
        assert_eq!(centres, [0.0, 1.0, 9.0]);
    }

    #[test]
    fn random_numbers_are_those_of_the_paper() {
        // The first output of seed 0 is e220a8397b1dcdaf.
        assert_eq!(Random(0).below(1.0), (0xe220_a839_7b1d_cdaf_u64 >> 11) as f64 / (1_u64 << 53) as f64);
    }
}
