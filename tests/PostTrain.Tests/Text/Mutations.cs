namespace PostTrain.Tests.Text;

/// <summary>Broken variants of a file: cut, extended, with flipped, inserted and hostile bytes.</summary>
internal static class Mutations
{
    /// <summary>2,000 seeded variants either load or end in an <see cref="InvalidDataException"/>; some of each kind must occur.</summary>
    internal static void LoadOrRefuse(byte[] file, int seed, Action<byte[]> load)
    {
        var random = new Random(seed);
        var (loaded, refused) = (0, 0);
        for (var i = 0; i < 2000; i++)
        {
            try
            {
                load(Mutate(file, random));
                loaded++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        Assert.True(loaded > 20 && refused > 20, $"{loaded} loaded, {refused} refused");
    }

    internal static byte[] Mutate(byte[] file, Random random)
    {
        var bytes = file.ToList();
        for (var changes = random.Next(1, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at));
                    break;
                default:
                    var hostile = BitConverter.GetBytes(random.GetItems([int.MaxValue, int.MinValue, -1, 0, 1 << 30], 1)[0]);
                    for (var i = 0; i < hostile.Length && at + i < bytes.Count; i++)
                        bytes[at + i] = hostile[i];
                    break;
            }
        }

        return [.. bytes];
    }
}
