using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace PostTrain.Operators;

/// <summary>What the operators have to know of the processor.</summary>
internal static class ProcessorFacts
{
    // CPUID leaf 7: EDX of subleaf 0 and EAX of subleaf 1.
    private const int AmxBfloat16 = 1 << 22,
        Avx512Bfloat16 = 1 << 5;

    /// <summary>True if the processor has instructions for products in bfloat16 (AVX512-BF16 or AMX), on which libtorch's products in that
    /// type are faster than in float32.</summary>
    internal static bool ComputesInBfloat16 { get; } = Read();

    /// <summary>True on processors of AMD with AVX2.</summary>
    internal static bool IsAmd { get; } = X86Base.IsSupported && Fma.IsSupported && Maker() == "AuthenticAMD";

    private static string Maker()
    {
        var (_, first, third, second) = X86Base.CpuId(0, 0);
        ReadOnlySpan<int> words = [first, second, third];
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(words));
    }

    private static bool Read()
    {
        if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < 7)
            return false;
        var leaf = X86Base.CpuId(7, 0);
        // A processor whose system has not switched the registers of AVX-512 on has no use of its instructions.
        return (leaf.Edx & AmxBfloat16) != 0 || (leaf.Eax >= 1 && Avx512F.IsSupported && (X86Base.CpuId(7, 1).Eax & Avx512Bfloat16) != 0);
    }
}
