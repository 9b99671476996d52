//! The year's campaigns: letters to customers, and advertisements.

/// What must be granted for a campaign to reach somebody; see the table `consents`.
pub(super) const NEWSLETTER: &str = "newsletter";
pub(super) const ADVERTISING: &str = "advertising";
pub(super) const PROFILING: &str = "profiling";

/// One campaign.
pub(super) struct Campaign {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// `email`, `social`, `display`, `video`, `search`.
    pub(super) channel: &'static str,
    /// First and last day, as days of the year. A letter goes out on one day.
    pub(super) days: (usize, usize),
    /// What it cost a brand of 100,000 profiles, in euros.
    pub(super) cost: u32,
    /// The share of people it is meant for.
    pub(super) share: f64,
    /// The department it is about.
    pub(super) department: Option<usize>,
}

impl Campaign {
    /// The purpose that has to be granted.
    pub(super) fn purpose(&self) -> &'static str {
        if self.channel == "email" { NEWSLETTER } else { ADVERTISING }
    }

    pub(super) fn runs_on(&self, day: usize) -> bool {
        (self.days.0..=self.days.1).contains(&day)
    }
}

const fn letter(
    id: &'static str,
    name: &'static str,
    day: usize,
    cost: u32,
    share: f64,
    department: Option<usize>,
) -> Campaign {
    Campaign { id, name, channel: "email", days: (day, day), cost, share, department }
}

const fn advertisement(
    id: &'static str,
    name: &'static str,
    channel: &'static str,
    days: (usize, usize),
    cost: u32,
    share: f64,
    department: Option<usize>,
) -> Campaign {
    Campaign { id, name, channel, days, cost, share, department }
}

/// In the order of their days.
pub(super) const LETTERS: [Campaign; 30] = [
    letter("e-0107", "Soldes d'hiver : en avant-première", 6, 900, 0.75, None),
    letter("e-0116", "Blanc : le linge de maison se refait une beauté", 15, 600, 0.35, Some(0)),
    letter("e-0128", "Soldes d'hiver : dernière démarque", 27, 800, 0.55, None),
    letter("e-0206", "Saint-Valentin : des mots doux, des cadeaux aussi", 36, 650, 0.4, Some(4)),
    letter("e-0220", "Nouveautés : la marinière revient", 50, 600, 0.35, Some(1)),
    letter("e-0306", "Le printemps s'invite à table", 64, 600, 0.35, Some(0)),
    letter("e-0318", "Au jardin : tout est prêt, et vous ?", 76, 550, 0.3, Some(6)),
    letter("e-0401", "Ceci n'est pas un poisson : 15 % sur les pulls", 90, 600, 0.4, Some(2)),
    letter("e-0410", "Chasse aux œufs en magasin", 99, 650, 0.45, Some(5)),
    letter("e-0424", "Robes d'été : premières fleurs", 113, 600, 0.35, Some(1)),
    letter("e-0506", "Balcon, terrasse, jardin : vive les apéros", 125, 550, 0.3, Some(6)),
    letter("e-0516", "Fête des mères : nos idées cadeaux", 135, 850, 0.6, Some(4)),
    letter("e-0522", "Fête des mères : il est encore temps", 141, 800, 0.45, None),
    letter("e-0605", "Fête des pères : le lin lui va bien", 155, 650, 0.4, Some(2)),
    letter("e-0624", "Soldes d'été : rendez-vous demain", 174, 900, 0.75, None),
    letter("e-0703", "Soldes d'été : deuxième démarque", 183, 800, 0.5, None),
    letter("e-0715", "Soldes d'été : derniers jours", 195, 700, 0.4, None),
    letter("e-0731", "Valise légère : l'essentiel des vacances", 211, 500, 0.3, Some(4)),
    letter("e-0821", "Rentrée : cartables et petits manteaux", 232, 650, 0.4, Some(3)),
    letter("e-0904", "Nouvelle saison : la maille arrive", 246, 700, 0.45, Some(1)),
    letter("e-0918", "Cocooning : plaids, bougies et thé chaud", 260, 600, 0.35, Some(0)),
    letter("e-1002", "Pour lui : la garde-robe d'automne", 274, 550, 0.3, Some(2)),
    letter("e-1016", "Vendanges tardives : l'épicerie fine", 288, 550, 0.3, Some(5)),
    letter("e-1030", "Toussaint : bottines de pluie et grands manteaux", 302, 600, 0.35, Some(1)),
    letter("e-1113", "Calendriers de l'Avent : ils partent vite", 316, 650, 0.45, Some(5)),
    letter("e-1127", "Vendredi noir : 25 % dès minuit", 330, 950, 0.8, None),
    letter("e-1204", "Noël : nos coffrets gourmands", 337, 750, 0.5, Some(5)),
    letter("e-1211", "Noël : des cadeaux pour chacun", 344, 850, 0.6, None),
    letter("e-1218", "Noël : livré à temps jusqu'à dimanche", 351, 750, 0.45, None),
    letter("e-1229", "Merci pour cette année", 362, 500, 0.35, None),
];

pub(super) const ADVERTISEMENTS: [Campaign; 18] = [
    advertisement("s-hiver", "Soldes d'hiver, réseaux sociaux", "social", (7, 34), 140, 0.10, None),
    advertisement("s-printemps", "Printemps à table, réseaux sociaux", "social", (64, 92), 90, 0.06, Some(0)),
    advertisement("s-meres", "Fête des mères, réseaux sociaux", "social", (128, 143), 120, 0.09, Some(4)),
    advertisement("s-ete", "Soldes d'été, réseaux sociaux", "social", (175, 202), 130, 0.10, None),
    advertisement("s-rentree", "Rentrée, réseaux sociaux", "social", (232, 255), 95, 0.07, Some(3)),
    advertisement("s-noel", "Noël, réseaux sociaux", "social", (320, 355), 210, 0.12, None),
    advertisement("d-hiver", "Soldes d'hiver, bannières", "display", (7, 34), 65, 0.07, None),
    advertisement("d-jardin", "Au jardin, bannières", "display", (76, 140), 55, 0.05, Some(6)),
    advertisement("d-ete", "Soldes d'été, bannières", "display", (175, 202), 60, 0.07, None),
    advertisement("d-maille", "La maille arrive, bannières", "display", (246, 290), 50, 0.05, Some(1)),
    advertisement("d-noir", "Vendredi noir, bannières", "display", (324, 335), 80, 0.09, None),
    advertisement("d-relance", "Relance de paniers, bannières", "display", (0, 364), 110, 0.05, None),
    advertisement("v-marque", "Film de marque", "video", (260, 300), 240, 0.10, None),
    advertisement("v-noel", "Film de Noël", "video", (325, 357), 320, 0.14, None),
    advertisement("r-marque", "Référencement, nom de la marque", "search", (0, 364), 16_000, 0.0, None),
    advertisement("r-maison", "Référencement, linge de maison", "search", (0, 364), 13_000, 0.0, Some(0)),
    advertisement("r-cadeaux", "Référencement, idées cadeaux", "search", (310, 357), 9000, 0.0, None),
    advertisement("r-soldes", "Référencement, soldes", "search", (5, 34), 7000, 0.0, None),
];

/// Campaigns are numbered, letters first.
pub(super) fn all() -> impl Iterator<Item = &'static Campaign> {
    LETTERS.iter().chain(&ADVERTISEMENTS)
}

/// The campaign of that number.
pub(super) fn numbered(number: usize) -> &'static Campaign {
    LETTERS.get(number).unwrap_or_else(|| &ADVERTISEMENTS[(number - LETTERS.len()) % ADVERTISEMENTS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn campaigns_are_in_order_and_named_once() {
        let mut ids: Vec<&str> = all().map(|c| c.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), LETTERS.len() + ADVERTISEMENTS.len());
        assert!(LETTERS.windows(2).all(|pair| pair[0].days.0 < pair[1].days.0));
        assert!(all().all(|c| c.days.0 <= c.days.1 && c.days.1 < 365));
        assert_eq!(numbered(LETTERS.len()).id, ADVERTISEMENTS[0].id);
    }
}
