using System.Buffers.Binary;

namespace PostTrain.Text;

/// <summary>A vocabulary in llama2.c's format: int32 maximum length, then for each piece float32 score, int32 length and bytes;
/// little-endian, up to the end of the file.</summary>
/// <param name="Pieces">The bytes of each piece.</param>
/// <param name="Scores">The merge score of each piece; higher scores merge first.</param>
internal sealed record SentencePieceFile(byte[][] Pieces, float[] Scores)
{
    internal const int MaximumBytes = 64 << 20;
    internal const string Expected = "a SentencePiece vocabulary in llama2.c's format";
    private const int MaximumPieceBytes = 1 << 16;
    private const int LeastPieces = 3;

    internal static SentencePieceFile Parse(ReadOnlySpan<byte> rest, string path)
    {
        if (rest.Length < sizeof(int))
            throw new InvalidDataException($"{path} has {rest.Length} bytes, expected {Expected}");
        var longest = BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (longest is < 1 or > MaximumPieceBytes)
            throw new InvalidDataException($"{path} gives {longest} as the longest length, expected 1 to {MaximumPieceBytes}");
        rest = rest[sizeof(int)..];

        var pieces = new List<byte[]>();
        var scores = new List<float>();
        while (rest.Length > 0)
        {
            var index = pieces.Count;
            if (rest.Length < sizeof(float) + sizeof(int))
                throw new InvalidDataException($"{path}: the file ends within piece {index}, expected its score and length");
            var score = BinaryPrimitives.ReadSingleLittleEndian(rest);
            var length = BinaryPrimitives.ReadInt32LittleEndian(rest[sizeof(float)..]);
            rest = rest[(sizeof(float) + sizeof(int))..];
            if (!float.IsFinite(score))
                throw new InvalidDataException($"{path}: piece {index} has the score {score}, expected a finite number");
            if (length < 1 || length > longest)
                throw new InvalidDataException($"{path}: piece {index} has the length {length}, expected 1 to {longest}");
            if (length > rest.Length)
                throw new InvalidDataException(
                    $"{path}: piece {index} has the length {length}, but the file ends after {rest.Length} bytes"
                );
            pieces.Add(rest[..length].ToArray());
            scores.Add(score);
            rest = rest[length..];
        }

        return pieces.Count >= LeastPieces
            ? new SentencePieceFile([.. pieces], [.. scores])
            : throw new InvalidDataException($"{path} has {pieces.Count} pieces, expected at least the {LeastPieces} control pieces");
    }
}
