//! What the brand sells: seven departments, each with its things, its makes, its prices and its seasons.

use super::chance::{Chance, Topic, Weights};

/// One article.
pub(super) struct Product {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) department: usize,
    pub(super) line: &'static str,
    /// Price in cents.
    pub(super) price: i64,
    /// What it costs the brand, in cents.
    pub(super) cost: i64,
    /// Whether sales make it cheaper.
    pub(super) reduced_in_sales: bool,
}

/// Everything on sale.
pub(super) struct Assortment {
    pub(super) products: Vec<Product>,
    /// For each department its first product and how popular its products are.
    departments: Vec<(usize, Weights)>,
}

/// A part of the assortment.
pub(super) struct Department {
    pub(super) name: &'static str,
    /// Its page in the web shop.
    pub(super) page: &'static str,
    /// How much it interests people on average.
    pub(super) interest: f64,
    /// The same by month.
    pub(super) season: [f64; 12],
    /// Things with what they usually cost in euros, and the makes that each of them comes in.
    ranges: &'static [(&'static [(&'static str, u32)], &'static [&'static str])],
    reduced: f64,
    margin: f64,
}

const LINES: [&str; 14] = [
    "Garrigue",
    "Belle-Île",
    "Vercors",
    "Camargue",
    "Montmartre",
    "Fleur de sel",
    "Lubéron",
    "Ouessant",
    "Cévennes",
    "Petit matin",
    "Grand large",
    "Champ d'été",
    "Faïence",
    "Soleil d'hiver",
];

pub(super) const DEPARTMENTS: [Department; 7] = [
    Department {
        name: "maison",
        page: "/c/maison",
        interest: 1.4,
        season: [1.2, 0.9, 1.0, 1.0, 1.0, 0.9, 0.9, 0.8, 1.1, 1.1, 1.2, 1.3],
        ranges: &[
            (
                &[
                    ("Nappe", 45),
                    ("Torchon", 9),
                    ("Plaid", 59),
                    ("Coussin", 29),
                    ("Housse de couette", 79),
                    ("Rideau", 49),
                    ("Drap-housse", 39),
                    ("Tapis", 149),
                ],
                &["en lin", "en coton lavé", "en chanvre", "à rayures"],
            ),
            (
                &[("Vase", 35), ("Saladier", 28), ("Lampe à poser", 85), ("Assiettes par six", 59), ("Carafe", 25)],
                &["en grès", "en faïence", "en verre soufflé"],
            ),
            (&[("Bougie parfumée", 19), ("Diffuseur", 29)], &["à la figue", "à la lavande", "au cèdre", "à la tomate"]),
            (&[("Miroir", 95), ("Corbeille", 32), ("Étagère", 79)], &["en rotin", "en chêne"]),
        ],
        reduced: 0.6,
        margin: 0.55,
    },
    Department {
        name: "mode femme",
        page: "/c/mode-femme",
        interest: 1.5,
        season: [1.2, 0.8, 1.0, 1.1, 1.1, 1.2, 1.0, 0.7, 1.2, 1.1, 1.1, 1.0],
        ranges: &[
            (
                &[("Robe", 75), ("Marinière", 42), ("Chemisier", 55), ("Jupe", 49), ("Pantalon", 69), ("Veste", 119)],
                &["en lin", "en coton biologique", "à fleurs", "en viscose", "à rayures"],
            ),
            (
                &[("Pull", 65), ("Gilet", 69), ("Écharpe", 35), ("Manteau", 189), ("Bonnet", 25)],
                &["en laine mérinos", "en alpaga", "en cachemire"],
            ),
            (
                &[("Sac à main", 129), ("Espadrilles", 39), ("Bottines", 139), ("Ceinture", 35)],
                &["en cuir", "en toile", "en daim"],
            ),
        ],
        reduced: 0.85,
        margin: 0.62,
    },
    Department {
        name: "mode homme",
        page: "/c/mode-homme",
        interest: 0.8,
        season: [1.2, 0.8, 0.9, 1.0, 1.1, 1.4, 1.0, 0.7, 1.1, 1.0, 1.1, 1.3],
        ranges: &[
            (
                &[("Chemise", 59), ("Pantalon", 75), ("Polo", 45), ("Veste", 139), ("Bermuda", 49), ("Caleçon", 15)],
                &["en lin", "en coton biologique", "à carreaux", "en velours"],
            ),
            (
                &[("Pull", 69), ("Écharpe", 35), ("Caban", 199), ("Chaussettes", 12)],
                &["en laine d'agneau", "en laine mérinos", "en cachemire"],
            ),
            (&[("Ceinture", 39), ("Derbies", 149), ("Sacoche", 99)], &["en cuir", "en toile"]),
        ],
        reduced: 0.85,
        margin: 0.6,
    },
    Department {
        name: "enfant",
        page: "/c/enfant",
        interest: 0.8,
        season: [1.1, 0.8, 0.9, 1.0, 1.0, 0.9, 0.9, 1.4, 1.3, 1.0, 1.2, 1.5],
        ranges: &[
            (
                &[("Pyjama", 25), ("Body", 14), ("Salopette", 39), ("Gilet", 29), ("Bonnet", 15), ("Tee-shirt", 17)],
                &["en coton biologique", "à pois", "à rayures", "en velours"],
            ),
            (
                &[("Ciré", 45), ("Cartable", 55), ("Baskets", 49), ("Bottes de pluie", 29)],
                &["à pois", "en toile", "façon marin"],
            ),
            (&[("Doudou", 19), ("Jeu de construction", 35), ("Puzzle", 18)], &["lapin", "ours", "renard", "bateau"]),
        ],
        reduced: 0.75,
        margin: 0.55,
    },
    Department {
        name: "beauté",
        page: "/c/beaute",
        interest: 1.0,
        season: [0.9, 1.1, 0.9, 0.9, 1.4, 1.0, 0.9, 0.8, 0.9, 0.9, 1.1, 1.5],
        ranges: &[
            (
                &[
                    ("Savon", 7),
                    ("Gel douche", 11),
                    ("Lait pour le corps", 18),
                    ("Baume à lèvres", 8),
                    ("Crème pour les mains", 14),
                ],
                &["à la lavande", "à la fleur d'oranger", "à l'amande douce", "à la figue", "sans parfum"],
            ),
            (
                &[("Crème de jour", 29), ("Masque", 19), ("Sérum", 45), ("Huile sèche", 24)],
                &["à l'immortelle", "à la rose", "au karité", "à l'argile"],
            ),
            (
                &[("Eau de toilette", 65), ("Eau de Cologne", 39)],
                &["à la fleur d'oranger", "au vétiver", "à la bergamote", "à l'iris"],
            ),
        ],
        reduced: 0.2,
        margin: 0.7,
    },
    Department {
        name: "épicerie fine",
        page: "/c/epicerie-fine",
        interest: 0.7,
        season: [0.8, 0.8, 0.8, 1.0, 0.9, 0.9, 0.9, 0.8, 0.9, 1.0, 1.3, 2.4],
        ranges: &[
            (&[("Confiture", 6), ("Pâte de fruits", 9)], &["d'abricot", "de mirabelle", "de châtaigne", "de figue"]),
            (&[("Miel", 9), ("Sel", 5), ("Tisane", 7)], &["de lavande", "de Camargue", "de Bretagne"]),
            (&[("Huile d'olive", 16), ("Tapenade", 6), ("Calissons", 15)], &["de Provence", "à l'ancienne"]),
            (
                &[("Thé", 12), ("Chocolat", 8), ("Biscuits", 7), ("Nougat", 11)],
                &["à la bergamote", "à l'orange", "au caramel", "à la noisette"],
            ),
            (&[("Coffret gourmand", 49)], &["de Provence", "de Bretagne", "du Périgord", "de fête"]),
        ],
        reduced: 0.0,
        margin: 0.4,
    },
    Department {
        name: "jardin",
        page: "/c/jardin",
        interest: 0.5,
        season: [0.3, 0.5, 1.2, 2.0, 2.2, 1.7, 1.2, 0.8, 0.8, 0.6, 0.4, 0.4],
        ranges: &[
            (&[("Pot", 25), ("Jardinière", 39), ("Photophore", 15)], &["en terre cuite", "en grès", "en zinc"]),
            (
                &[("Chaise longue", 129), ("Table d'appoint", 89), ("Fauteuil", 119), ("Banc", 159)],
                &["en teck", "en osier", "en acier"],
            ),
            (&[("Parasol", 159), ("Tablier", 39), ("Hamac", 89)], &["en toile", "à rayures"]),
            (&[("Arrosoir", 29), ("Sécateur", 32), ("Guirlande lumineuse", 35)], &["en acier", "en cuivre"]),
        ],
        reduced: 0.6,
        margin: 0.5,
    },
];

impl Assortment {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, Topic::Assortment, 0);
        let (mut products, mut departments) = (Vec::new(), Vec::new());
        for (number, department) in DEPARTMENTS.iter().enumerate() {
            let first = products.len();
            let made = department.ranges.iter().flat_map(|(things, makes)| {
                things.iter().flat_map(move |(thing, price)| makes.iter().map(move |make| (thing, price, make)))
            });
            for (thing, price, make) in made {
                for _ in 0..3 {
                    let line = chance.pick(&LINES);
                    let name = format!("{thing} {make} « {line} »");
                    if chance.happens(0.2) || products[first..].iter().any(|p: &Product| p.name == name) {
                        continue;
                    }
                    let price = price_tag(chance.lognormal(f64::from(*price), 0.25));
                    let share = (1.0 - department.margin) * (0.9 + 0.2 * chance.unit());
                    products.push(Product {
                        id: format!("m{:04}", products.len() + 1),
                        name,
                        department: number,
                        line,
                        price,
                        // What is taken in has twenty per cent of tax in it.
                        cost: (price as f64 * share / 1.2) as i64,
                        reduced_in_sales: chance.happens(department.reduced),
                    });
                }
            }
            // Few articles make most of the trade; which ones, chance says.
            let count = products.len() - first;
            let mut ranks: Vec<usize> = (0..count).collect();
            for at in (1..count).rev() {
                ranks.swap(at, chance.below(at as u32 + 1) as usize);
            }
            departments.push((first, Weights::new(ranks.into_iter().map(|rank| 1.0 / (rank as f64 + 3.0)))));
        }
        Self { products, departments }
    }

    /// A product of a department, popular ones more often.
    pub(super) fn draw(&self, department: usize, chance: &mut Chance) -> usize {
        let (first, popularity) = &self.departments[department];
        first + popularity.draw(chance)
    }
}

/// The nearest price of the kind that stands on tags.
fn price_tag(euros: f64) -> i64 {
    let whole = euros.max(2.0) as i64;
    match whole {
        0..20 => whole * 100 + if euros - whole as f64 > 0.5 { 90 } else { 50 },
        20..60 => whole * 100 + 90,
        _ => (whole / 5 * 5) * 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_distinct_and_priced() {
        let assortment = Assortment::new(1);
        let mut names: Vec<&str> = assortment.products.iter().map(|p| p.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!((500..1000).contains(&count), "{count}");
        for product in &assortment.products {
            assert!(product.price >= 250 && product.price % 10 == 0, "{} {}", product.name, product.price);
            assert!(product.cost > 0 && product.cost < product.price);
        }
    }
}
