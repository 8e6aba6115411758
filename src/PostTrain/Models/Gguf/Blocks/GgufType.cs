using System.Diagnostics.CodeAnalysis;

namespace PostTrain.Models.Gguf;

/// <summary>Element types of a GGUF file by the numbers that ggml gives them.</summary>
[SuppressMessage("Naming", "CA1707", Justification = "The names of the format.")]
public enum GgufType
{
    /// <summary>32-bit floating point.</summary>
    F32 = 0,

    /// <summary>16-bit floating point.</summary>
    F16 = 1,

    /// <summary>Blocks of 32 in 18 bytes: a float16 scale and 4-bit codes, 4.5 bits an entry.</summary>
    Q4_0 = 2,

    /// <summary>Blocks of 32 in 20 bytes: a float16 scale and minimum, 4-bit codes.</summary>
    Q4_1 = 3,

    /// <summary>Blocks of 32 in 22 bytes: a float16 scale, 5-bit codes.</summary>
    Q5_0 = 6,

    /// <summary>Blocks of 32 in 24 bytes: a float16 scale and minimum, 5-bit codes.</summary>
    Q5_1 = 7,

    /// <summary>Blocks of 32 in 34 bytes: a float16 scale and 8-bit codes, 8.5 bits an entry.</summary>
    Q8_0 = 8,

    /// <summary>Blocks of 256 with 2-bit codes; read, not written.</summary>
    Q2_K = 10,

    /// <summary>Blocks of 256 with 3-bit codes; read, not written.</summary>
    Q3_K = 11,

    /// <summary>Blocks of 256 with 4-bit codes; read, not written.</summary>
    Q4_K = 12,

    /// <summary>Blocks of 256 with 5-bit codes; read, not written.</summary>
    Q5_K = 13,

    /// <summary>Blocks of 256 with 6-bit codes; read, not written.</summary>
    Q6_K = 14,

    /// <summary>Blocks of 32 with 4-bit codes of a table that is not evenly spaced; read, not written.</summary>
    IQ4_NL = 20,

    /// <summary>Blocks of 256 with 4-bit codes of the table of <see cref="IQ4_NL"/>; read, not written.</summary>
    IQ4_XS = 23,

    /// <summary>bfloat16.</summary>
    BF16 = 30,
}
