using System.IO.Compression;

namespace PostTrain.Text.HuggingFace;

/// <summary>Unicode's decompositions, compositions and combining classes.</summary>
/// <remarks>The base library uses ICU for normalisation, which is missing in globalisation-invariant mode. With these tables a file gives
/// the same ids everywhere.</remarks>
internal static partial class UnicodeTables
{
    private const int HangulBase = 0xAC00,
        LeadBase = 0x1100,
        VowelBase = 0x1161,
        TailBase = 0x11A7;
    private const int Vowels = 21,
        Tails = 28,
        Leads = 19,
        Syllables = Leads * Vowels * Tails;

    private static readonly Lazy<Tables> Loaded = new(Load);

    /// <summary>Returns the canonical combining class; 0 for a starter.</summary>
    internal static int CombiningClass(int codePoint) => Loaded.Value.Classes.GetValueOrDefault(codePoint);

    /// <summary>Returns the composition of two characters, or −1.</summary>
    internal static int Compose(int first, int second)
    {
        if ((uint)(first - LeadBase) < Leads && (uint)(second - VowelBase) < Vowels)
            return HangulBase + (((first - LeadBase) * Vowels) + (second - VowelBase)) * Tails;
        if ((uint)(first - HangulBase) < Syllables && (first - HangulBase) % Tails == 0 && (uint)(second - TailBase - 1) < Tails - 1)
            return first + (second - TailBase);
        return Loaded.Value.Compositions.GetValueOrDefault(Pair(first, second), -1);
    }

    /// <summary>Appends the full decomposition of a character.</summary>
    internal static void Decompose(int codePoint, bool compatibility, List<int> output)
    {
        if ((uint)(codePoint - HangulBase) < Syllables)
        {
            int index = codePoint - HangulBase;
            output.Add(LeadBase + index / (Vowels * Tails));
            output.Add(VowelBase + index % (Vowels * Tails) / Tails);
            if (index % Tails != 0)
                output.Add(TailBase + index % Tails);
        }
        else if (Loaded.Value.Decompositions.TryGetValue(codePoint, out var entry) && (compatibility || !entry.Compatibility))
        {
            foreach (int part in entry.Parts)
                Decompose(part, compatibility, output);
        }
        else
        {
            output.Add(codePoint);
        }
    }

    private static long Pair(int first, int second) => ((long)first << 32) | (uint)second;

    private static Tables Load()
    {
        using var source = new DeflateStream(new MemoryStream(Convert.FromBase64String(Deflated)), CompressionMode.Decompress);
        var tables = new Tables([], [], []);
        int codePoint = 0;
        for (int left = Next(source); left > 0; left--)
        {
            codePoint += Next(source);
            int head = Next(source);
            int[] parts = new int[head >> 2];
            for (int i = 0; i < parts.Length; i++)
                parts[i] = Next(source);
            tables.Decompositions[codePoint] = (parts, (head & 3) == 2);
            if ((head & 3) == 1)
                tables.Compositions[Pair(parts[0], parts[1])] = codePoint;
        }

        codePoint = 0;
        for (int left = Next(source); left > 0; left--)
        {
            codePoint += Next(source);
            int length = Next(source),
                combining = Next(source);
            for (int i = 0; i < length; i++)
                tables.Classes[codePoint + i] = combining;
        }

        return tables;
    }

    private static int Next(Stream source)
    {
        int value = 0;
        for (int shift = 0; ; shift += 7)
        {
            int read = source.ReadByte();
            value |= (read & 127) << shift;
            if (read < 128)
                return value;
        }
    }

    private sealed record Tables(
        Dictionary<int, (int[] Parts, bool Compatibility)> Decompositions,
        Dictionary<long, int> Compositions,
        Dictionary<int, int> Classes
    );
}
