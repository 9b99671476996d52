//! French names, as common as they are at each age, and what becomes of them in an e-mail address or at a till.

use super::chance::Chance;

/// First names of women and of men born before 1960, before 1985, and since; the most frequent ones first.
#[rustfmt::skip]
const FIRST_NAMES: [[&[&str]; 3]; 2] = [
    [
        &[
            "Marie", "Monique", "Françoise", "Catherine", "Nicole", "Jacqueline", "Jeanne", "Michèle", "Annie",
            "Chantal", "Danièle", "Colette", "Hélène", "Bernadette", "Geneviève", "Thérèse", "Marie-Thérèse",
            "Brigitte", "Josiane", "Éliane", "Andrée", "Mireille", "Anne-Marie", "Solange", "Yvonne", "Renée",
            "Ginette", "Arlette", "Fatima", "Joëlle", "Maryvonne", "Béatrice", "Odile", "Maria",
        ],
        &[
            "Nathalie", "Isabelle", "Sylvie", "Céline", "Sandrine", "Stéphanie", "Valérie", "Véronique", "Christelle",
            "Laurence", "Sophie", "Karine", "Virginie", "Delphine", "Aurélie", "Émilie", "Florence", "Corinne",
            "Séverine", "Laëtitia", "Anne", "Cécile", "Élodie", "Hélène", "Agnès", "Maud", "Gaëlle", "Frédérique",
            "Nadia", "Samira", "Marie-Laure", "Hoa", "Rosa", "Anne-Sophie", "Bérengère", "Maïté", "Aïcha", "Élise",
        ],
        &[
            "Camille", "Léa", "Manon", "Chloé", "Emma", "Marie", "Sarah", "Laura", "Julie", "Inès", "Mathilde",
            "Pauline", "Anaïs", "Marine", "Lucie", "Jade", "Louise", "Clara", "Océane", "Zoé", "Juliette", "Maëlys",
            "Noémie", "Justine", "Éva", "Héloïse", "Margaux", "Yasmine", "Romane", "Salomé", "Maëva", "Ambre",
            "Capucine", "Fatou", "Lina", "Apolline", "Gwenaëlle", "Anouk", "Éléonore", "Linh", "Myriam", "Garance",
        ],
    ],
    [
        &[
            "Jean", "Michel", "Pierre", "Jacques", "André", "Bernard", "Gilles", "Gérard", "Daniel", "Alain", "René",
            "Roger", "Jean-Pierre", "Robert", "Guy", "Marcel", "Jean-Louis", "Christian", "Serge", "Raymond", "Yves",
            "Gilbert", "Lucien", "Maurice", "Jean-Marie", "Roland", "François", "Ahmed", "Antonio", "Joël", "Hervé",
            "Léon", "Étienne",
        ],
        &[
            "Philippe", "Laurent", "Stéphane", "Christophe", "Nicolas", "Frédéric", "Thierry", "David", "Olivier",
            "Sébastien", "Éric", "Jérôme", "Pascal", "Cédric", "Bruno", "Vincent", "Guillaume", "Julien", "Franck",
            "Fabrice", "Ludovic", "Arnaud", "Mickaël", "Emmanuel", "Benoît", "Gilles", "Xavier", "Grégory", "Loïc",
            "Karim", "Yann", "Rachid", "Jean-François", "Mohamed", "Régis", "Rémi", "Jean-Baptiste", "Sylvain",
        ],
        &[
            "Thomas", "Lucas", "Hugo", "Maxime", "Alexandre", "Antoine", "Théo", "Quentin", "Nathan", "Clément",
            "Louis", "Romain", "Valentin", "Enzo", "Léo", "Raphaël", "Paul", "Arthur", "Mathis", "Florian", "Gabriel",
            "Jules", "Adam", "Baptiste", "Mehdi", "Yanis", "Noé", "Aurélien", "Gaël", "Timothée", "Maël", "Loïs",
            "Rayan", "Corentin", "Mamadou", "Anaël", "Tristan", "Malo", "Joaquim", "Aymeric", "Côme", "Nolan",
        ],
    ],
];

/// Last names, the most frequent ones first.
#[rustfmt::skip]
const LAST_NAMES: &[&str] = &[
    "Martin", "Bernard", "Thomas", "Petit", "Robert", "Richard", "Durand", "Dubois", "Moreau", "Laurent", "Simon",
    "Michel", "Lefebvre", "Leroy", "Roux", "David", "Bertrand", "Morel", "Fournier", "Girard", "Bonnet", "Dupont",
    "Lambert", "Fontaine", "Rousseau", "Vincent", "Müller", "Lefèvre", "Faure", "André", "Mercier", "Blanc", "Guérin",
    "Boyer", "Garnier", "Chevalier", "François", "Legrand", "Gauthier", "Garcia", "Perrin", "Robin", "Clément", "Morin",
    "Nicolas", "Henry", "Roussel", "Mathieu", "Gautier", "Masson", "Marchand", "Duval", "Denis", "Dumont", "Marie",
    "Lemaire", "Noël", "Meyer", "Dufour", "Meunier", "Brun", "Blanchard", "Giraud", "Joly", "Rivière", "Lucas",
    "Brunet", "Gaillard", "Barbier", "Arnaud", "Martinez", "Gérard", "Roche", "Renard", "Schmitt", "Roy", "Leroux",
    "Colin", "Vidal", "Caron", "Picard", "Roger", "Fabre", "Aubert", "Lemoine", "Renaud", "Dumas", "Lacroix", "Olivier",
    "Philippe", "Bourgeois", "Pierre", "Benoît", "Rey", "Leclerc", "Payet", "Rolland", "Leclercq", "Guillaume",
    "Lecomte", "Lopez", "Jean", "Dupuy", "Guillot", "Hubert", "Berger", "Carpentier", "Sanchez", "Dupuis", "Moulin",
    "Louis", "Deschamps", "Huet", "Vasseur", "Perez", "Boucher", "Fleury", "Royer", "Klein", "Jacquet", "Adam", "Paris",
    "Poirier", "Marty", "Aubry", "Guyot", "Carré", "Charles", "Renault", "Charpentier", "Ménard", "Maillard", "Baron",
    "Bertin", "Bailly", "Hervé", "Schneider", "Fernandez", "Le Gall", "Collet", "Léger", "Bouvier", "Julien", "Prévost",
    "Millet", "Perrot", "Daniel", "Le Roux", "Cousin", "Germain", "Breton", "Besson", "Langlois", "Rémy", "Le Goff",
    "Pelletier", "Lévêque", "Perrier", "Leblanc", "Barré", "Lebrun", "Marchal", "Weber", "Mallet", "Hamon", "Boulanger",
    "Jacob", "Monnier", "Michaud", "Rodriguez", "Guichard", "Gillet", "Étienne", "Grondin", "Poulain", "Tessier",
    "Chevallier", "Collin", "Chauvin", "Da Silva", "Bouchet", "Gay", "Lemaître", "Bénard", "Maréchal", "Humbert",
    "Reynaud", "Antoine", "Hoarau", "Perret", "Barthélemy", "Cordier", "Pichon", "Lejeune", "Gilbert", "Lamy",
    "Delaunay", "Pasquier", "Carlier", "Laporte", "Nguyen", "Benali", "Diallo", "Traoré", "Haddad", "Ferreira",
    "Öztürk", "Kowalski", "Cohen", "Ndiaye", "L'Hostis", "D'Almeida", "De La Tour", "Etcheverry", "Casanova", "Le Bihan",
    "Kervella", "Wagner", "Kieffer", "Bensaïd", "Sarkissian", "Tran", "Sylla", "Cissé", "Gonçalves", "Saint-Martin",
    "Élie", "Ibáñez", "Peña", "Çelik", "Château", "Hérault", "Bœuf", "Sauvêtre", "Maïs", "Naël", "Quéré", "Kaïs",
];

/// Where mailboxes are; the top-level domain is reserved for examples and delivers nothing.
const MAIL_DOMAINS: [&str; 6] =
    ["courriel.example", "boite.example", "messagerie.example", "poste.example", "fibre.example", "bureau.example"];

/// A first name for somebody born in that year.
pub(super) fn first_name(female: bool, born: i32, chance: &mut Chance) -> &'static str {
    let generation = if born < 1960 { 0 } else { 1 + usize::from(born >= 1985) };
    chance.pick_early(FIRST_NAMES[usize::from(!female)][generation])
}

pub(super) fn last_name(chance: &mut Chance) -> &'static str {
    chance.pick_early(LAST_NAMES)
}

/// The address that somebody of that name gives himself.
pub(super) fn email(first: &str, last: &str, born: i32, chance: &mut Chance) -> String {
    let (first, last) = (plain(first), plain(last));
    let initial = first.get(..1).unwrap_or("");
    let mut name = match chance.below(10) {
        0..5 => format!("{first}.{last}"),
        5 => format!("{last}.{first}"),
        6 => format!("{first}{last}"),
        7 => format!("{initial}.{last}"),
        8 => format!("{initial}{last}"),
        _ => format!("{first}_{last}"),
    };
    // The plain forms are taken by the time most people come.
    match chance.below(10) {
        0..2 => {}
        2..6 => name.push_str(&format!("{:02}", born % 100)),
        _ => name.push_str(&chance.below(10_000).to_string()),
    }
    let domain = chance.pick_early(&MAIL_DOMAINS);
    format!("{name}@{domain}")
}

/// A name in the letters that addresses are made of.
pub(super) fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars() {
        match unaccented(letter) {
            'œ' | 'Œ' => plain.push_str("oe"),
            letter if letter.is_ascii_alphabetic() || letter == '-' => plain.push(letter.to_ascii_lowercase()),
            _ => {}
        }
    }
    plain
}

/// A name as somebody in a hurry types it: capitals without accents, or with a slip.
pub(super) fn misspelt(name: &str, chance: &mut Chance) -> String {
    let bare: String = name.chars().map(unaccented).collect();
    match chance.below(5) {
        0 => name.to_owned(),
        1 => bare.to_uppercase(),
        2 => bare.replace(['-', '\''], " "),
        3 => {
            // Two letters change places, but for the first one.
            let mut letters: Vec<char> = name.chars().collect();
            if letters.len() > 3 {
                let at = 1 + chance.below(letters.len() as u32 - 2) as usize;
                letters.swap(at, at + 1);
            }
            letters.into_iter().collect()
        }
        _ => bare,
    }
}

/// The letter below an accent, for the letters that our names have.
fn unaccented(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'Ç' => 'C',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'É' | 'È' | 'Ê' => 'E',
        'í' | 'î' | 'ï' => 'i',
        'Î' => 'I',
        'ñ' => 'n',
        'ó' | 'ô' | 'ö' => 'o',
        'Ö' => 'O',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_an_address() {
        let first = FIRST_NAMES.iter().flatten().flat_map(|names| names.iter());
        for name in first.chain(LAST_NAMES) {
            let plain = plain(name);
            assert!(plain.len() > 1 && plain.is_ascii(), "{name} became {plain}");
            // No letter got lost for want of its plain form; only the ligature becomes two.
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
            assert_eq!(letters(&plain), letters(name) + usize::from(name.contains('œ')), "{name}");
        }
        assert_eq!(plain("Marie-Thérèse"), "marie-therese");
        assert_eq!(plain("L'Hostis"), "lhostis");
        assert_eq!(plain("De La Tour"), "delatour");
    }
}
