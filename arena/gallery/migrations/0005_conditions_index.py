
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gallery', '0004_conditions_and_imports'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='sample',
            index=models.Index(fields=['contestant', 'prompt', 'seed', 'conditions'], name='sample_conditions'),
        ),
    ]
