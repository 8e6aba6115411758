namespace PostTrain.Refinement.Instructions;

/// <summary>Reason for which a generated instruction or instance is not kept.</summary>
public enum SelfInstructRejection
{
    /// <summary>An instruction of fewer than <see cref="SelfInstructOptions.MinWords"/> words.</summary>
    TooShort,

    /// <summary>An instruction of more than <see cref="SelfInstructOptions.MaxWords"/> words.</summary>
    TooLong,

    /// <summary>An instruction that does not begin with a letter or digit, of ASCII where <see cref="SelfInstructOptions.AsciiStart"/> says
    /// so.</summary>
    NotText,

    /// <summary>An instruction with one of <see cref="SelfInstructOptions.Keywords"/>.</summary>
    Keyword,

    /// <summary>An instruction with one of <see cref="SelfInstructOptions.Beginnings"/>.</summary>
    Beginning,

    /// <summary>An instruction whose ROUGE-L to the pool reaches <see cref="SelfInstructOptions.MaxSimilarity"/>.</summary>
    Similar,

    /// <summary>An instruction that is left without an instance.</summary>
    NoInstances,

    /// <summary>An instance without an output.</summary>
    EmptyOutput,

    /// <summary>An instance whose output is its input.</summary>
    Echo,

    /// <summary>An instance whose input or output ends with a colon, and so was not written to its end.</summary>
    Unfinished,

    /// <summary>An instance with a text of more than <see cref="SelfInstructOptions.MaxInstanceCharacters"/> characters.</summary>
    Oversized,

    /// <summary>An instance that its instruction has already.</summary>
    Duplicate,

    /// <summary>An instance of an instruction that answers one input in two ways; all of its instances go.</summary>
    Contradiction,

    /// <summary>An instance beyond <see cref="SelfInstructOptions.MaxInstances"/>.</summary>
    Surplus,
}
