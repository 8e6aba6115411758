using System.Buffers.Binary;
using System.Text;

namespace PostTrain.Tests.Packaging;

/// <summary>An entry of an ELF file's section .gnu.version_r.</summary>
/// <param name="Library">The library that must have the version, such as <c>libstdc++.so.6</c>.</param>
/// <param name="Version">Name of the version.</param>
/// <param name="Flags">2 (VER_FLG_WEAK) where the loader accepts a library without it.</param>
/// <param name="FlagsOffset">Place of the flags in the file.</param>
internal sealed record VersionNeed(string Library, string Version, ushort Flags, int FlagsOffset);

/// <summary>The versions that a 64-bit little-endian ELF file needs, read by the dynamic section's table of tags.</summary>
internal static class VersionNeeds
{
    private const ulong StringTable = 5,
        Needs = 0x6ffffffe,
        NeedCount = 0x6fffffff;
    private const uint Load = 1,
        Dynamic = 2;

    internal static VersionNeed[] Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var segments = Enumerable.Range(0, Half(bytes, 56)).Select(i => (int)Quad(bytes, 32) + i * Half(bytes, 54)).ToArray();
        int dynamic = segments.Single(segment => Word(bytes, segment) == Dynamic);
        var tags = Enumerable
            .Range(0, (int)Quad(bytes, dynamic + 32) / 16)
            .Select(i => (int)Quad(bytes, dynamic + 8) + 16 * i)
            .GroupBy(at => Quad(bytes, at))
            .ToDictionary(group => group.Key, group => Quad(bytes, group.First() + 8));

        // The tags hold addresses in memory: the segment that is loaded there says where in the file that is.
        int FileOffset(ulong address)
        {
            int segment = segments.Single(at =>
                Word(bytes, at) == Load && address >= Quad(bytes, at + 16) && address < Quad(bytes, at + 16) + Quad(bytes, at + 32)
            );
            return (int)(address - Quad(bytes, segment + 16) + Quad(bytes, segment + 8));
        }

        int strings = FileOffset(tags[StringTable]),
            library = FileOffset(tags[Needs]);
        string Name(uint offset) =>
            Encoding.ASCII.GetString(
                bytes[(strings + (int)offset)..]
                    .AsSpan()
                    .Slice(0, Array.IndexOf(bytes, (byte)0, strings + (int)offset) - strings - (int)offset)
            );
        var found = new List<VersionNeed>();
        for (ulong i = 0; i < tags[NeedCount]; i++, library += (int)Word(bytes, library + 12))
        {
            int version = library + (int)Word(bytes, library + 8);
            for (int k = 0; k < Half(bytes, library + 2); k++, version += (int)Word(bytes, version + 12))
                found.Add(new(Name(Word(bytes, library + 4)), Name(Word(bytes, version + 8)), Half(bytes, version + 4), version + 4));
        }
        return [.. found];
    }

    private static ushort Half(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint Word(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static ulong Quad(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
}
