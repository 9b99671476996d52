//! Where people live and shop: cities of France by size, and the store that each goes to.

use super::chance::{Chance, Weights};

/// A city, or a district large enough to count as one.
pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) region: &'static str,
    /// The lowest of its postcodes, and how many follow one another.
    postcodes: (u32, u32),
    /// Thousands of people.
    size: u32,
    /// The store that its people go to.
    pub(super) store: &'static str,
    /// How near that store is: 1 in the same city, less elsewhere.
    pub(super) nearness: f64,
}

impl City {
    pub(super) fn postcode(&self, chance: &mut Chance) -> String {
        let (first, count) = self.postcodes;
        format!("{:05}", first + chance.below(count))
    }
}

/// How to draw a city by its size.
pub(super) fn by_size() -> Weights {
    Weights::new(CITIES.iter().map(|city| f64::from(city.size)))
}

const fn city(
    name: &'static str,
    region: &'static str,
    postcodes: (u32, u32),
    size: u32,
    store: &'static str,
    nearness: f64,
) -> City {
    City { name, region, postcodes, size, store, nearness }
}

const IDF: &str = "Île-de-France";
const ARA: &str = "Auvergne-Rhône-Alpes";
const PACA: &str = "Provence-Alpes-Côte d'Azur";
const OCC: &str = "Occitanie";
const NAQ: &str = "Nouvelle-Aquitaine";
const HDF: &str = "Hauts-de-France";
const GES: &str = "Grand Est";
const BRE: &str = "Bretagne";
const PDL: &str = "Pays de la Loire";
const NOR: &str = "Normandie";
const BFC: &str = "Bourgogne-Franche-Comté";
const CVL: &str = "Centre-Val de Loire";
const COR: &str = "Corse";

pub(super) const CITIES: &[City] = &[
    city("Paris", IDF, (75001, 10), 900, "Paris Haussmann", 1.0),
    city("Paris", IDF, (75011, 10), 1200, "Paris Nation", 1.0),
    city("Boulogne-Billancourt", IDF, (92100, 1), 120, "Paris Haussmann", 0.6),
    city("Saint-Denis", IDF, (93200, 1), 113, "Paris Nation", 0.5),
    city("Argenteuil", IDF, (95100, 1), 110, "Paris Haussmann", 0.4),
    city("Montreuil", IDF, (93100, 1), 110, "Paris Nation", 0.7),
    city("Créteil", IDF, (94000, 1), 92, "Créteil Soleil", 1.0),
    city("Versailles", IDF, (78000, 1), 84, "Versailles", 1.0),
    city("Vitry-sur-Seine", IDF, (94400, 1), 95, "Créteil Soleil", 0.6),
    city("Évry-Courcouronnes", IDF, (91000, 1), 67, "Créteil Soleil", 0.3),
    city("Saint-Germain-en-Laye", IDF, (78100, 1), 45, "Versailles", 0.5),
    city("Melun", IDF, (77000, 1), 42, "Créteil Soleil", 0.2),
    city("Lyon", ARA, (69001, 9), 520, "Lyon Part-Dieu", 1.0),
    city("Villeurbanne", ARA, (69100, 1), 155, "Lyon Part-Dieu", 0.8),
    city("Saint-Étienne", ARA, (42000, 1), 173, "Lyon Part-Dieu", 0.15),
    city("Grenoble", ARA, (38000, 1), 158, "Grenoble", 1.0),
    city("Clermont-Ferrand", ARA, (63000, 1), 147, "Clermont-Ferrand", 1.0),
    city("Annecy", ARA, (74000, 1), 130, "Annecy", 1.0),
    city("Chambéry", ARA, (73000, 1), 59, "Annecy", 0.3),
    city("Valence", ARA, (26000, 1), 64, "Grenoble", 0.15),
    city("Bourg-en-Bresse", ARA, (1000, 1), 42, "Lyon Part-Dieu", 0.2),
    city("Vénissieux", ARA, (69200, 1), 66, "Lyon Part-Dieu", 0.6),
    city("Marseille", PACA, (13001, 16), 870, "Marseille Joliette", 1.0),
    city("Aix-en-Provence", PACA, (13090, 1), 147, "Aix-en-Provence", 1.0),
    city("Nice", PACA, (6000, 1), 343, "Nice Masséna", 1.0),
    city("Toulon", PACA, (83000, 1), 180, "Toulon", 1.0),
    city("Cannes", PACA, (6400, 1), 74, "Nice Masséna", 0.4),
    city("Antibes", PACA, (6600, 1), 74, "Nice Masséna", 0.5),
    city("Avignon", PACA, (84000, 1), 91, "Aix-en-Provence", 0.25),
    city("Hyères", PACA, (83400, 1), 55, "Toulon", 0.5),
    city("Toulouse", OCC, (31000, 1), 500, "Toulouse Capitole", 1.0),
    city("Montpellier", OCC, (34000, 1), 300, "Montpellier Comédie", 1.0),
    city("Nîmes", OCC, (30000, 1), 148, "Montpellier Comédie", 0.3),
    city("Perpignan", OCC, (66000, 1), 120, "Montpellier Comédie", 0.1),
    city("Béziers", OCC, (34500, 1), 79, "Montpellier Comédie", 0.25),
    city("Sète", OCC, (34200, 1), 44, "Montpellier Comédie", 0.4),
    city("Albi", OCC, (81000, 1), 49, "Toulouse Capitole", 0.25),
    city("Tarbes", OCC, (65000, 1), 42, "Pau", 0.4),
    city("Rodez", OCC, (12000, 1), 24, "Toulouse Capitole", 0.1),
    city("Bordeaux", NAQ, (33000, 1), 260, "Bordeaux Sainte-Catherine", 1.0),
    city("Mérignac", NAQ, (33700, 1), 74, "Bordeaux Sainte-Catherine", 0.7),
    city("Limoges", NAQ, (87000, 1), 130, "Limoges", 1.0),
    city("Poitiers", NAQ, (86000, 1), 90, "Tours", 0.15),
    city("La Rochelle", NAQ, (17000, 1), 78, "La Rochelle", 1.0),
    city("Pau", NAQ, (64000, 1), 77, "Pau", 1.0),
    city("Bayonne", NAQ, (64100, 1), 53, "Pau", 0.2),
    city("Périgueux", NAQ, (24000, 1), 30, "Limoges", 0.2),
    city("Angoulême", NAQ, (16000, 1), 41, "La Rochelle", 0.15),
    city("Lille", HDF, (59000, 1), 236, "Lille Grand-Place", 1.0),
    city("Roubaix", HDF, (59100, 1), 98, "Lille Grand-Place", 0.6),
    city("Tourcoing", HDF, (59200, 1), 98, "Lille Grand-Place", 0.55),
    city("Amiens", HDF, (80000, 1), 134, "Amiens", 1.0),
    city("Dunkerque", HDF, (59140, 1), 86, "Lille Grand-Place", 0.15),
    city("Calais", HDF, (62100, 1), 67, "Lille Grand-Place", 0.1),
    city("Saint-Quentin", HDF, (2100, 1), 53, "Amiens", 0.2),
    city("Beauvais", HDF, (60000, 1), 56, "Amiens", 0.25),
    city("Strasbourg", GES, (67000, 1), 290, "Strasbourg Kléber", 1.0),
    city("Reims", GES, (51100, 1), 180, "Reims", 1.0),
    city("Metz", GES, (57000, 1), 120, "Metz", 1.0),
    city("Nancy", GES, (54000, 1), 105, "Nancy", 1.0),
    city("Mulhouse", GES, (68100, 1), 107, "Strasbourg Kléber", 0.15),
    city("Colmar", GES, (68000, 1), 68, "Strasbourg Kléber", 0.25),
    city("Troyes", GES, (10000, 1), 62, "Reims", 0.15),
    city("Épinal", GES, (88000, 1), 32, "Nancy", 0.25),
    city("Châlons-en-Champagne", GES, (51000, 1), 43, "Reims", 0.35),
    city("Nantes", PDL, (44000, 1), 320, "Nantes Crébillon", 1.0),
    city("Angers", PDL, (49000, 1), 157, "Angers", 1.0),
    city("Le Mans", PDL, (72000, 1), 145, "Le Mans", 1.0),
    city("Saint-Nazaire", PDL, (44600, 1), 72, "Nantes Crébillon", 0.25),
    city("La Roche-sur-Yon", PDL, (85000, 1), 55, "Nantes Crébillon", 0.2),
    city("Rennes", BRE, (35000, 1), 225, "Rennes Lices", 1.0),
    city("Brest", BRE, (29200, 1), 140, "Brest Siam", 1.0),
    city("Quimper", BRE, (29000, 1), 63, "Brest Siam", 0.25),
    city("Lorient", BRE, (56100, 1), 57, "Vannes", 0.35),
    city("Vannes", BRE, (56000, 1), 54, "Vannes", 1.0),
    city("Saint-Malo", BRE, (35400, 1), 46, "Rennes Lices", 0.25),
    city("Saint-Brieuc", BRE, (22000, 1), 44, "Rennes Lices", 0.15),
    city("Le Havre", NOR, (76600, 1), 166, "Le Havre", 1.0),
    city("Rouen", NOR, (76000, 1), 114, "Rouen", 1.0),
    city("Caen", NOR, (14000, 1), 108, "Caen", 1.0),
    city("Cherbourg-en-Cotentin", NOR, (50100, 1), 78, "Caen", 0.1),
    city("Évreux", NOR, (27000, 1), 48, "Rouen", 0.3),
    city("Alençon", NOR, (61000, 1), 26, "Le Mans", 0.3),
    city("Dijon", BFC, (21000, 1), 159, "Dijon", 1.0),
    city("Besançon", BFC, (25000, 1), 120, "Besançon", 1.0),
    city("Belfort", BFC, (90000, 1), 46, "Besançon", 0.15),
    city("Chalon-sur-Saône", BFC, (71100, 1), 45, "Dijon", 0.25),
    city("Nevers", BFC, (58000, 1), 33, "Dijon", 0.05),
    city("Tours", CVL, (37000, 1), 138, "Tours", 1.0),
    city("Orléans", CVL, (45000, 1), 117, "Orléans", 1.0),
    city("Bourges", CVL, (18000, 1), 64, "Orléans", 0.15),
    city("Chartres", CVL, (28000, 1), 39, "Orléans", 0.15),
    city("Blois", CVL, (41000, 1), 46, "Tours", 0.3),
    city("Châteauroux", CVL, (36000, 1), 43, "Limoges", 0.1),
    city("Ajaccio", COR, (20000, 1), 72, "Ajaccio", 1.0),
    city("Bastia", COR, (20200, 1), 48, "Ajaccio", 0.1),
];
