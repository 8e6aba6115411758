namespace PostTrain.Rewards;

/// <summary>Scripts of letters.</summary>
[Flags]
public enum WritingScripts
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Latin letters, accented ones included.</summary>
    Latin = 1,

    /// <summary>Greek.</summary>
    Greek = 2,

    /// <summary>Cyrillic.</summary>
    Cyrillic = 4,

    /// <summary>Hebrew.</summary>
    Hebrew = 8,

    /// <summary>Arabic.</summary>
    Arabic = 16,

    /// <summary>Devanagari.</summary>
    Devanagari = 32,

    /// <summary>Chinese characters.</summary>
    Han = 64,

    /// <summary>Hiragana and katakana.</summary>
    Kana = 128,

    /// <summary>Hangul.</summary>
    Hangul = 256,

    /// <summary>Thai.</summary>
    Thai = 512,

    /// <summary>Japanese: kana and Chinese characters.</summary>
    Japanese = Han | Kana,

    /// <summary>All scripts.</summary>
    All = Latin | Greek | Cyrillic | Hebrew | Arabic | Devanagari | Han | Kana | Hangul | Thai,
}
